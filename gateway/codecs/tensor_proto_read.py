"""The values of a TensorProto, taken from its bytes: numbers move in bulk, never one by one, and
those that lie there as an array does are not touched."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from numpy.typing import NDArray

from gateway.codecs.tensor_layouts import BY_NUMBER, MAX_RANK, TYPE_NAMES, Layout, shape_text
from gateway.codecs.varints import count_varints, read_varints, unpack_varints
from gateway.errors import ServingError, invalid_argument
from gateway.protos.tensors import TensorProto, TensorShapeProto
from gateway.protos.unread import UnreadTensor

MAX_FILLED_BYTES = 64 * 1024 * 1024
"""Largest array that grows out of fewer values than its shape takes, so that a small message
cannot claim memory at will: the default limit of a request body."""

_LONGEST_CACHED = 256
"""Bytes of a shape that is worth remembering."""


class WireTensor(NamedTuple):
    """A tensor whose size is what its shape takes."""

    layout: Layout
    shape: tuple[int, ...]
    values: bytes | list[bytes] | NDArray[Any]
    """Flat in C order: numbers as their memory or as an array, strings as a list."""

    def array(self) -> NDArray[Any]:
        """C-contiguous; read-only where the values' memory is shared."""
        values = self.values
        if isinstance(values, bytes):
            return np.frombuffer(values, self.layout.dtype).reshape(self.shape)
        if isinstance(values, list):
            strings = np.empty(len(values), object)
            strings[:] = values
            values = strings
        return values.reshape(self.shape)


class _Shape(NamedTuple):
    sizes: tuple[int, ...]
    entries: int
    largest: int
    """The product of the sizes that are not 0."""


def read_tensor(
    tensor: Any, *, what: str = "the tensor", max_filled_bytes: int = MAX_FILLED_BYTES
) -> WireTensor:
    """The values of an ``UnreadTensor``.

    Fewer typed values than the shape takes: the last one is repeated, none at all are zeros or
    empty strings (TensorFlow, ``Tensor::FromProto``). Raises ServingError (INVALID_ARGUMENT), which
    calls the tensor ``what``, for dtypes that no signature can have, for sizes that do not fit and
    for filling beyond ``max_filled_bytes``.
    """
    layout = BY_NUMBER.get(tensor.dtype)
    if layout is None:
        raise _unsupported(tensor.dtype, what)
    shape = _shape(tensor, layout, what)
    content = tensor.tensor_content
    if content:
        values = _content(content, layout, shape.entries, what)
    else:
        values = _typed(tensor, layout, shape, what, max_filled_bytes)
    return WireTensor(layout, shape.sizes, values)


def _unsupported(number: int, what: str) -> ServingError:
    if number == 0:
        return invalid_argument(f"{what} has no dtype")
    name = TYPE_NAMES.get(number, f"DT_{number}")
    return invalid_argument(f"{what} has the unsupported dtype {name}")


def _shape(tensor: Any, layout: Layout, what: str) -> _Shape:
    pieces = tensor.tensor_shape
    text = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    try:
        read = _read_shape if len(text) <= _LONGEST_CACHED else _read_shape.__wrapped__
        shape = read(text)
    except ValueError as error:
        raise invalid_argument(f"{what} {error}") from None
    if shape.largest * layout.dtype.itemsize >= 2**63:
        sizes = shape_text(shape.sizes)
        raise invalid_argument(f"{what} has the shape {sizes}, which no memory can hold")
    return shape


@lru_cache(1024)
def _read_shape(text: bytes) -> _Shape:
    try:
        proto = TensorShapeProto.FromString(text)
    except DecodeError:
        raise ValueError("has a broken shape") from None
    sizes = tuple([dim.size for dim in proto.dim])
    if proto.unknown_rank or any(size < 0 for size in sizes):
        raise ValueError("has an incomplete shape")
    if len(sizes) > MAX_RANK:
        raise ValueError(f"has {len(sizes)} dimensions; at most {MAX_RANK} can be")
    return _Shape(sizes, math.prod(sizes), math.prod(filter(None, sizes)))


def _content(
    content: bytes, layout: Layout, count: int, what: str
) -> bytes | list[bytes] | NDArray[Any]:
    if layout.form == "strings":
        return _string_content(content, count, what)
    expected = count * layout.dtype.itemsize
    if len(content) != expected:
        raise invalid_argument(
            f"{what} has {len(content)} bytes in tensor_content,"
            f" but its dtype and shape take {expected}"
        )
    if layout.dtype.kind == "b":
        return np.frombuffer(content, np.uint8).astype(np.bool_)
    return content


def _string_content(content: bytes, count: int, what: str) -> list[bytes]:
    """The lengths of all strings, then their bytes (TensorFlow, ``port::EncodeStringList``)."""
    try:
        lengths, start = read_varints(content, count)
    except ValueError as error:
        raise invalid_argument(f"{what} has broken strings in tensor_content: {error}") from None
    if start + sum(lengths) != len(content):
        raise invalid_argument(
            f"{what} has {len(content)} bytes in tensor_content,"
            f" but its strings take {start + sum(lengths)}"
        )
    strings = []
    for length in lengths:
        strings.append(content[start : start + length])
        start += length
    return strings


def _typed(
    tensor: Any, layout: Layout, shape: _Shape, what: str, max_filled_bytes: int
) -> bytes | list[bytes] | NDArray[Any]:
    field = getattr(tensor, layout.field)
    if layout.form == "strings":
        values: bytes | list[bytes] | NDArray[Any] = list(field)
        found = len(values)
    else:
        packed = field if layout.form == "bytes" else _joined(field)
        found = _number_of_values(packed, layout, what)
        if found < shape.entries and (again := _packed(tensor)) is not None:
            return _typed(again, layout, shape, what, max_filled_bytes)
        if found <= shape.entries:
            values = _numbers(packed, layout, what)
    if found > shape.entries:
        raise invalid_argument(
            f"{what} has {found} values in {layout.field},"
            f" but its shape {shape_text(shape.sizes)} takes {shape.entries}"
        )
    if found < shape.entries:
        return _filled(WireTensor(layout, (found,), values), shape.entries, what, max_filled_bytes)
    return values


def _joined(pieces: Any) -> bytes:
    packed: bytes = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return packed


def _number_of_values(packed: bytes, layout: Layout, what: str) -> int:
    if layout.form == "varints":
        return count_varints(packed)
    words, rest = divmod(len(packed), layout.words.itemsize)
    if rest:
        raise invalid_argument(f"{what} has {len(packed)} bytes in {layout.field}")
    if layout.dtype.kind == "c" and words % 2:
        raise invalid_argument(f"{what} has {words} numbers in {layout.field}, not pairs")
    return len(packed) // layout.dtype.itemsize


def _numbers(packed: bytes, layout: Layout, what: str) -> bytes | NDArray[Any]:
    if layout.form != "varints":
        return packed
    try:
        return unpack_varints(packed, layout.words).view(layout.dtype)
    except ValueError as error:
        raise invalid_argument(f"{what} has broken numbers in {layout.field}: {error}") from None


def _packed(tensor: Any) -> Any | None:
    """``tensor`` with its numbers packed, if there are any that are not: old clients may write them
    one by one."""
    if not len(UnknownFieldSet(tensor)):
        return None
    try:
        read = TensorProto.FromString(tensor.SerializeToString())
    except DecodeError:
        return None
    again = UnreadTensor.FromString(read.SerializeToString())
    return None if len(UnknownFieldSet(again)) else again


def _filled(tensor: WireTensor, count: int, what: str, max_filled_bytes: int) -> NDArray[Any]:
    layout, values = tensor.layout, tensor.array()
    size = count * layout.dtype.itemsize
    if size > max_filled_bytes:
        raise invalid_argument(
            f"{what} has {len(values)} values in {layout.field}, which would be repeated to"
            f" fill {size} bytes; at most {max_filled_bytes} are filled"
        )
    filled = np.empty(count, values.dtype)
    filled[: len(values)] = values
    nothing = b"" if values.dtype.kind == "O" else 0
    filled[len(values) :] = values[-1] if len(values) else nothing
    return filled
