"""The descriptor pool of the generated modules, in the place of protobuf's own."""

from __future__ import annotations

from google.protobuf.descriptor_pool import DescriptorPool

_POOL = DescriptorPool()


def Default() -> DescriptorPool:  # noqa: N802 - the name that generated code calls
    """The pool that knows Triton's messages, and no other message."""
    return _POOL
