"""Raw tensors as the binary tensor extension and gRPC's raw contents have them.

Little-endian, row-major, without gaps; BOOL one byte; each BYTES element behind its length, four
bytes. Sizes are checked against the bytes that are there before an array is made.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import ServingError, invalid_argument
from gateway.oip.datatypes import Datatype, shape_text

_LENGTH = struct.Struct("<I")
MAX_ELEMENT_BYTES = 2**32 - 1


def read_tensor(
    data: bytes | memoryview, datatype: Datatype, shape: tuple[int, ...], what: str
) -> NDArray[Any]:
    """The tensor that all of ``data`` is, in native byte order; read-only.

    A view of ``data`` where its values are aligned; BYTES are an object array of ``bytes``.
    ``shape`` was checked (``check_shape``). Raises ServingError (INVALID_ARGUMENT), which calls
    the tensor ``what``.
    """
    count = math.prod(shape)
    if datatype.is_bytes:
        return _shaped(_elements(bytes(data), count, what), shape, what)
    size = count * datatype.itemsize
    if size != len(data):
        raise _size_mismatch(what, size, len(data), datatype, shape)
    if datatype.dtype.kind == "b":
        return _bools(data, shape, what)
    array = _little_endian(_shaped(np.frombuffer(data, datatype.dtype), shape, what))
    return array if array.flags.aligned else array.copy()


def tensor_bytes(array: NDArray[Any], datatype: Datatype) -> bytes:
    """The raw form of ``array``, whose dtype is that of ``datatype`` (BYTES: ``bytes`` or ``str``
    elements). Raises ServingError for an element of more than 2^32 - 1 bytes."""
    if not datatype.is_bytes:
        return _little_endian(array.astype(datatype.dtype, copy=False)).tobytes()
    pieces: list[bytes] = []
    for element in array.reshape(-1).tolist():
        value = element.encode() if isinstance(element, str) else element
        if len(value) > MAX_ELEMENT_BYTES:
            raise invalid_argument("an element is too long for the binary form of BYTES")
        pieces += (_LENGTH.pack(len(value)), value)
    return b"".join(pieces)


def _elements(data: bytes, count: int, what: str) -> NDArray[Any]:
    """``count`` strings with their lengths, that fill ``data``."""
    if count * _LENGTH.size > len(data):
        raise invalid_argument(
            f"{what}: {count} BYTES elements take at least {count * _LENGTH.size} bytes,"
            f" got {len(data)}"
        )
    elements: list[bytes] = []
    position, end = 0, len(data)
    for index in range(count):
        start = position + _LENGTH.size
        if start > end:
            raise _truncated(what, index, _LENGTH.size, end - position)
        (length,) = _LENGTH.unpack_from(data, position)
        position = start + length
        if position > end:
            raise _truncated(what, index, length, end - start)
        elements.append(data[start:position])
    if position != end:
        raise invalid_argument(f"{what}: {end - position} bytes follow the last BYTES element")
    array = np.empty(count, object)
    array[:] = elements
    return array


def _truncated(what: str, index: int, wanted: int, left: int) -> ServingError:
    return invalid_argument(
        f"{what}: BYTES element {index} takes {wanted} bytes, but {left} are left"
    )


def _bools(data: bytes | memoryview, shape: tuple[int, ...], what: str) -> NDArray[Any]:
    array = _shaped(np.frombuffer(data, np.uint8), shape, what)
    if array.size and array.max() > 1:
        raise invalid_argument(f"{what} must be BOOL: bytes that are 0 or 1")
    return array.view(np.bool_)


def _shaped(array: NDArray[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    try:
        return array.reshape(shape)
    except ValueError:
        # Nothing of it is there, as one size is 0; the others are beyond what numpy can count.
        raise invalid_argument(f"{what} has a shape that is too large") from None


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """From little-endian to native or back."""
    return array if sys.byteorder == "little" else array.byteswap()


def _size_mismatch(
    what: str, size: int, got: int, datatype: Datatype, shape: Sequence[int]
) -> ServingError:
    return invalid_argument(
        f"input byte size mismatch for {what}: {datatype.name} of shape {shape_text(shape)}"
        f" takes {size} bytes, got {got}"
    )
