"""Protocol buffers' variable-length integers, many at a time. numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BITS = 7
_MORE = 0x80
"""Set in every byte of a number but its last."""
_WIDEST = 10
"""Bytes that 64 bits can need."""
_FEW = 96
"""Up to so many numbers Python is faster than numpy."""
_ALL_BITS = 2**64 - 1
_CHUNK = 1 << 15
"""Numbers to encode at a time: bounds the memory, and fits the cache."""


def pack_varints(values: NDArray[Any]) -> bytes:
    """One-dimensional integers or booleans as a packed repeated field.

    Negative numbers take ten bytes, as fields of type ``int32`` and ``int64`` have them.
    """
    if values.dtype.kind == "b":
        return values.tobytes()
    if values.size <= _FEW:
        return b"".join([varint(number & _ALL_BITS) for number in values.tolist()])
    words = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64).view(np.uint64)
    if not words.size or words.max() < _MORE:
        return words.astype(np.uint8).tobytes()
    return b"".join(_packed(words[i : i + _CHUNK]) for i in range(0, words.size, _CHUNK))


_SHORT = [bytes([number]) for number in range(_MORE)]


def varint(number: int) -> bytes:
    """One number, not negative."""
    if number < _MORE:
        return _SHORT[number]
    pieces = bytearray()
    while number >= _MORE:
        pieces.append(number & (_MORE - 1) | _MORE)
        number >>= _BITS
    pieces.append(number)
    return bytes(pieces)


def read_varints(data: bytes, count: int) -> tuple[list[int], int]:
    """The first ``count`` numbers in ``data``, and where they end. Raises ValueError when there
    are fewer, or one is wider than 64 bits."""
    numbers: list[int] = []
    number = shift = 0
    for position, byte in enumerate(data if count else b"", 1):
        number |= (byte & (_MORE - 1)) << shift
        shift += _BITS
        if byte < _MORE:
            numbers.append(number)
            number = shift = 0
            if len(numbers) == count:
                return numbers, position
        elif shift >= _WIDEST * _BITS:
            raise ValueError("a number is wider than 64 bits")
    if count:
        raise ValueError(f"{len(numbers)} numbers instead of {count}")
    return numbers, 0


def count_varints(data: bytes) -> int:
    """How many numbers end in ``data``."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) < _MORE))


def unpack_varints(data: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """All numbers in ``data``, cut to the bits of ``dtype``; booleans are whether they are not 0.

    Raises ValueError when the last number is cut off or one is wider than 64 bits.
    """
    raw = np.frombuffer(data, np.uint8)
    numbers = np.empty(count_varints(data), dtype)
    start = done = 0
    while start < raw.size:
        chunk = raw[start : start + _CHUNK]
        ends = np.flatnonzero(chunk < _MORE)
        if not ends.size:
            whole = start + chunk.size == raw.size and chunk.size < _WIDEST
            raise ValueError("a number is cut off" if whole else "a number is wider than 64 bits")
        found = _unpacked(chunk, ends)
        numbers[done : done + found.size] = found != 0 if dtype.kind == "b" else found.astype(dtype)
        start += int(ends[-1]) + 1
        done += found.size
    return numbers


def _unpacked(chunk: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The numbers whose last bytes are at ``ends``."""
    if ends.size == chunk.size:
        return chunk.astype(np.uint64)
    starts = np.empty_like(ends)
    starts[0], starts[1:] = 0, ends[:-1] + 1
    widths = ends - starts + 1
    widest = int(widths.max())
    if widest > _WIDEST:
        raise ValueError("a number is wider than 64 bits")
    numbers = np.zeros(ends.size, np.uint64)
    for byte in range(widest):
        long = widths > byte
        bits = (chunk[starts[long] + byte] & (_MORE - 1)).astype(np.uint64)
        numbers[long] |= bits << np.uint64(byte * _BITS)
    return numbers


def _packed(words: NDArray[np.uint64]) -> bytes:
    width = max(1, -(-int(words.max()).bit_length() // _BITS))
    pieces = np.empty((words.size, width), np.uint8)
    used = np.empty((words.size, width), np.bool_)
    for byte in range(width):
        # The low byte of each word; its top bit says whether another one follows.
        rest = words >> np.uint64(_BITS)
        more = rest != 0
        pieces[:, byte] = (words.astype(np.uint8) & (_MORE - 1)) | (more.view(np.uint8) << _BITS)
        used[:, byte] = words != 0
        words = rest
    used[:, 0] = True
    return pieces[used].tobytes()
