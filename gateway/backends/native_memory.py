"""The memory of native libraries, as the operating system counts it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any


def give_back_freed_memory() -> None:
    """Return freed pages to the system, where the C library keeps them until told (glibc).

    Takes milliseconds, without the global lock. A model's weights are freed in pieces between
    others that live on, so of a large model tens of MiB would stay.
    """
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], Any] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
