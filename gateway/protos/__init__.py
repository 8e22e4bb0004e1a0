"""Protocol buffer messages of TensorFlow Serving, without importing TensorFlow.

The published package of TF Serving's messages imports all of TensorFlow for most of them, and
leaves some configuration messages out. Here they are declared in Python, in a descriptor pool of
their own: the same full names, field names and numbers, so the same bytes and texts.
"""
