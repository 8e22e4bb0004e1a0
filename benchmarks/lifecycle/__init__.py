"""Versions that come and go under load: what clients see of it, and what it costs others."""
