"""Objects that live as long as the process, kept from the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_objects() -> Iterator[None]:
    """What is alive at the end stays: no collection looks at it while it grows, nor later, when a
    full one would stop all threads for a seventh of a second (300,000 objects of TensorFlow).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
