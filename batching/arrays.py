"""Terms that all array code shares, and memory for batches."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from batching.item import Inputs

Array = NDArray[Any]

ALIGNMENT = 64


class Holder(Protocol):
    """What assembling needs of an item."""

    rows: int

    @property
    def inputs(self) -> Inputs: ...


Part = tuple[Holder, int, int]
"""An item and the half-open range of its rows."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised C-contiguous array whose data starts at a multiple of 64 bytes.

    Object arrays are an ordinary ``np.empty`` (all None).
    """
    if dtype.hasobject:
        return np.empty(shape, dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    offset = -memory.ctypes.data % ALIGNMENT
    return memory[offset : offset + size].view(dtype).reshape(shape)
