"""Arrays and lists of byte strings to flat bytes and back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching import aligned_empty
from gateway.hop.frames import BrokenFrame, Buffer

MAX_DIMENSIONS = 32
"""numpy has at most 64."""

_BUILTIN = 1
"""numpy's mark of its own dtypes."""

Shape = tuple[int, ...]


def is_sendable(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype can be sent: numpy's own numbers, and objects that are all
    ``bytes``."""
    return dtype.isbuiltin == _BUILTIN and dtype.kind in "biufcO"


def read_dtype(name: object) -> np.dtype[Any]:
    """The dtype that ``dtype.str`` named. Raises BrokenFrame."""
    try:
        dtype = np.dtype(name)  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        raise BrokenFrame("no dtype") from error
    if not isinstance(name, str) or not is_sendable(dtype):
        raise BrokenFrame("a dtype that is not sent")
    found: np.dtype[Any] = dtype
    return found


def read_shape(sizes: object) -> Shape:
    """The shape that came as JSON. Raises BrokenFrame."""
    if not isinstance(sizes, list) or len(sizes) > MAX_DIMENSIONS:
        raise BrokenFrame("no shape")
    if any(type(size) is not int or not 0 <= size < 2**31 for size in sizes):
        raise BrokenFrame("no shape")
    return tuple(sizes)


def pack_strings(values: Sequence[bytes]) -> bytes:
    """Their lengths, then they themselves. Raises TypeError for other objects than ``bytes``."""
    lengths = struct.pack(f"<{len(values)}I", *map(len, values))
    return lengths + b"".join(values)


def read_strings(buffer: Buffer, at: int, count: int) -> tuple[list[bytes], int]:
    """``count`` byte strings from a place on, and where the next thing is. Raises BrokenFrame."""
    stop = at + 4 * count
    if stop > len(buffer):
        raise BrokenFrame("lengths of strings are missing")
    values = []
    for length in struct.unpack(f"<{count}I", buffer[at:stop]):
        start, stop = stop, stop + length
        if stop > len(buffer):
            raise BrokenFrame("a string is cut")
        values.append(bytes(buffer[start:stop]))
    return values, stop


def pack_array(array: NDArray[Any]) -> Buffer:
    """Its values in C order. Raises TypeError for objects that are not ``bytes``."""
    if array.dtype.hasobject:
        return pack_strings(array.reshape(-1).tolist())
    if array.flags.c_contiguous and array.size:
        return array.reshape(-1).view(np.uint8).data
    return array.tobytes()


def read_array(
    buffer: Buffer, at: int, dtype: np.dtype[Any], shape: Shape
) -> tuple[NDArray[Any], int]:
    """An array of its own, aligned for TensorFlow, and where the next thing is. Raises
    BrokenFrame."""
    size = prod(shape)
    if dtype.hasobject:
        values, stop = read_strings(buffer, at, size)
        return np.fromiter(values, dtype, size).reshape(shape), stop
    stop = at + size * dtype.itemsize
    if stop > len(buffer):
        raise BrokenFrame("an array is cut")
    array = aligned_empty(shape, dtype)
    if size:
        array[...] = np.frombuffer(buffer, dtype, size, at).reshape(shape)
    return array, stop
