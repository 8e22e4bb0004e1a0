"""TensorProto to array and back. Numbers move in bulk, never one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from gateway.codecs.varints import pack_varints, read_varints, varint
from gateway.errors import Code, ServingError, invalid_argument
from gateway.protos.tensors import DATA_TYPES, TensorProto

MAX_FILLED_BYTES = 64 * 1024 * 1024
"""Largest array that grows out of fewer values than its shape takes, so that a small message
cannot claim memory at will: the default limit of a request body."""

MAX_MESSAGE_BYTES = 2**31 - 1
"""Protocol buffers' own limit."""

_MAX_RANK = 64
"""numpy's limit on dimensions."""
_FEW = 64
"""Up to so many integers a list is faster than encoding them in bulk."""
_LENGTH_DELIMITED = 2
"""The wire type of packed fields."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the values of one dtype stand in a TensorProto."""

    dtype: np.dtype[Any]
    field: str
    words: np.dtype[Any]
    """What a value is stored as: its bits for half floats, two parts for complex numbers."""

    @property
    def field_number(self) -> int:
        number: int = TensorProto.DESCRIPTOR.fields_by_name[self.field].number
        return number


def _layout(dtype: Any, field: str, words: Any = None) -> _Layout:
    return _Layout(np.dtype(dtype), field, np.dtype(words or dtype))


_LAYOUTS = {
    "DT_FLOAT": _layout(np.float32, "float_val"),
    "DT_DOUBLE": _layout(np.float64, "double_val"),
    "DT_HALF": _layout(np.float16, "half_val", np.uint16),
    "DT_BFLOAT16": _layout(ml_dtypes.bfloat16, "half_val", np.uint16),
    "DT_FLOAT8_E5M2": _layout(ml_dtypes.float8_e5m2, "float8_val"),
    "DT_FLOAT8_E4M3FN": _layout(ml_dtypes.float8_e4m3fn, "float8_val"),
    "DT_INT8": _layout(np.int8, "int_val"),
    "DT_INT16": _layout(np.int16, "int_val"),
    "DT_INT32": _layout(np.int32, "int_val"),
    "DT_INT64": _layout(np.int64, "int64_val"),
    "DT_UINT8": _layout(np.uint8, "int_val"),
    "DT_UINT16": _layout(np.uint16, "int_val"),
    "DT_UINT32": _layout(np.uint32, "uint32_val"),
    "DT_UINT64": _layout(np.uint64, "uint64_val"),
    "DT_BOOL": _layout(np.bool_, "bool_val"),
    "DT_COMPLEX64": _layout(np.complex64, "scomplex_val", np.float32),
    "DT_COMPLEX128": _layout(np.complex128, "dcomplex_val", np.float64),
    "DT_STRING": _layout(object, "string_val"),
}
_FIELD_DTYPES = {
    "float_val": np.float32,
    "double_val": np.float64,
    "half_val": np.int32,
    "int_val": np.int32,
    "int64_val": np.int64,
    "uint32_val": np.uint32,
    "uint64_val": np.uint64,
    "bool_val": np.bool_,
    "scomplex_val": np.float32,
    "dcomplex_val": np.float64,
}
_TYPE_NAMES = {number: name for name, number in DATA_TYPES.items()}


def array_of(
    proto: Any, *, what: str = "the tensor", max_filled_bytes: int = MAX_FILLED_BYTES
) -> NDArray[Any]:
    """The values of a TensorProto: C-contiguous, strings as an object array of ``bytes``.

    Read-only where ``tensor_content`` is shared. Fewer typed values than the shape takes: the last
    one is repeated, none at all are zeros or empty strings (TensorFlow, ``Tensor::FromProto``).
    Raises ServingError (INVALID_ARGUMENT), which calls the tensor ``what``, for dtypes that no
    signature can have, for sizes that do not fit and for filling beyond ``max_filled_bytes``.
    """
    layout = _layout_of(proto, what)
    shape = _shape(proto, layout, what)
    count = math.prod(shape)
    if proto.tensor_content:
        return _content(proto.tensor_content, layout, count, what).reshape(shape)
    values = _values(proto, layout, what)
    if len(values) > count:
        raise invalid_argument(
            f"{what} has {len(values)} values in {layout.field},"
            f" but its shape {_text(shape)} takes {count}"
        )
    if len(values) < count:
        size = count * layout.dtype.itemsize
        if size > max_filled_bytes:
            raise invalid_argument(
                f"{what} has {len(values)} values in {layout.field}, which would be repeated to"
                f" fill {size} bytes; at most {max_filled_bytes} are filled"
            )
        values = _filled(values, count)
    return values.reshape(shape)


def tensor_proto(array: NDArray[Any], type_name: str, *, tensor_content: bool = False) -> Any:
    """``array`` as a TensorProto of the dtype ``type_name`` (``DT_FLOAT``), which it must have.

    Values are in typed fields, as TF Serving answers, or with ``tensor_content`` as raw bytes;
    strings (``bytes`` or ``str``) always in ``string_val``, the only place where Python clients
    look. Raises ServingError (RESOURCE_EXHAUSTED) for what no message can hold.
    """
    layout = _LAYOUTS[type_name]
    proto = TensorProto(dtype=DATA_TYPES[type_name])
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if layout.dtype.kind == "O":
        proto.string_val.extend(map(_bytes, array.reshape(-1).tolist()))
        return proto
    if array.dtype.newbyteorder("=") != layout.dtype:
        raise ValueError(f"an array of {array.dtype} is no {type_name}")
    flat = np.asarray(array, layout.dtype, order="C").reshape(-1)
    if tensor_content:
        proto.tensor_content = _checked(flat.tobytes())
    elif layout.field == "float8_val":
        proto.float8_val = _checked(flat.tobytes())
    else:
        _put(proto, layout, flat.view(layout.words))
    return proto


def _layout_of(proto: Any, what: str) -> _Layout:
    name = _TYPE_NAMES.get(proto.dtype, f"DT_{proto.dtype}")
    layout = _LAYOUTS.get(name)
    if layout is None:
        reason = "no dtype" if proto.dtype == 0 else f"the unsupported dtype {name}"
        raise invalid_argument(f"{what} has {reason}")
    return layout


def _shape(proto: Any, layout: _Layout, what: str) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid_argument(f"{what} has an incomplete shape")
    if len(shape) > _MAX_RANK:
        raise invalid_argument(f"{what} has {len(shape)} dimensions; at most {_MAX_RANK} can be")
    if math.prod(filter(None, shape)) * layout.dtype.itemsize >= 2**63:
        raise invalid_argument(f"{what} has the shape {_text(shape)}, which no memory can hold")
    return shape


def _content(content: bytes, layout: _Layout, count: int, what: str) -> NDArray[Any]:
    if layout.dtype.kind == "O":
        return _string_content(content, count, what)
    expected = count * layout.dtype.itemsize
    if len(content) != expected:
        raise invalid_argument(
            f"{what} has {len(content)} bytes in tensor_content,"
            f" but its dtype and shape take {expected}"
        )
    if layout.dtype.kind == "b":
        return np.frombuffer(content, np.uint8).astype(np.bool_)
    return np.frombuffer(content, layout.dtype)


def _string_content(content: bytes, count: int, what: str) -> NDArray[Any]:
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
    return _objects(strings)


def _values(proto: Any, layout: _Layout, what: str) -> NDArray[Any]:
    field = getattr(proto, layout.field)
    if layout.dtype.kind == "O":
        return _objects(list(field))
    if layout.field == "float8_val":
        return np.frombuffer(field, layout.dtype)
    words: NDArray[Any] = np.array(field, _FIELD_DTYPES[layout.field])
    if layout.dtype.kind == "c" and len(words) % 2:
        raise invalid_argument(f"{what} has {len(words)} numbers in {layout.field}, not pairs")
    return words.astype(layout.words, copy=False).view(layout.dtype)


def _filled(values: NDArray[Any], count: int) -> NDArray[Any]:
    filled = np.empty(count, values.dtype)
    filled[: len(values)] = values
    nothing = b"" if values.dtype.kind == "O" else 0
    filled[len(values) :] = values[-1] if len(values) else nothing
    return filled


def _objects(strings: list[bytes]) -> NDArray[Any]:
    array = np.empty(len(strings), object)
    array[:] = strings
    return array


def _put(proto: Any, layout: _Layout, words: NDArray[Any]) -> None:
    """Set the typed field by the bytes that it has on the wire, or a few integers as a list."""
    if words.dtype.kind == "f":
        packed = _checked(words.tobytes())
    elif words.size > _FEW:
        packed = _checked(pack_varints(words))
    else:
        getattr(proto, layout.field).extend(words.tolist())
        return
    tag = layout.field_number << 3 | _LENGTH_DELIMITED
    proto.MergeFromString(varint(tag) + varint(len(packed)) + packed)


def _checked(packed: bytes) -> bytes:
    if len(packed) > MAX_MESSAGE_BYTES:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"a tensor takes {len(packed)} bytes; a message holds at most {MAX_MESSAGE_BYTES}",
        )
    return packed


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
