"""Codecs between bytes on the wire and named numpy arrays. Pure functions: no I/O, no clock."""
