"""TensorProtos as the bytes that they have on the wire: no message is made, and numbers are copied
once, into the answer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.codecs.tensor_layouts import LAYOUTS, Layout
from gateway.codecs.varints import pack_varints, varint
from gateway.errors import Code, ServingError

MAX_MESSAGE_BYTES = 2**31 - 1
"""Protocol buffers' own limit."""

Pieces = list[bytes | memoryview]
"""To be joined."""

_LENGTH_DELIMITED = 2
"""The wire type of messages, strings and packed fields."""
_SMALL_BYTES = 4096
"""Up to so many bytes a copy costs less than the view that would save it."""
_DTYPE_TAG = b"\x08"
_SHAPE_TAG = _DIM_TAG = b"\x12"
_SIZE_TAG = b"\x08"
_CONTENT_TAG = b"\x22"


@lru_cache(1024)
def tag(field_number: int) -> bytes:
    """What stands before a length and so many bytes."""
    return varint(field_number << 3 | _LENGTH_DELIMITED)


def delimited(field_number: int, value: bytes) -> bytes:
    """One message or string as a field."""
    return tag(field_number) + varint(len(value)) + value


def tensor_pieces(
    array: NDArray[Any], type_name: str, *, tensor_content: bool = False
) -> tuple[Pieces, int]:
    """``array`` as a TensorProto of the dtype ``type_name`` (``DT_FLOAT``), which it must have, and
    how many bytes that are.

    Values are in typed fields, as TF Serving answers, or with ``tensor_content`` as raw bytes;
    strings (``bytes`` or ``str``) always in ``string_val``, the only place where Python clients
    look. Raises ServingError (RESOURCE_EXHAUSTED) for what no message can hold.
    """
    layout = LAYOUTS[type_name]
    head = _head(layout.number, array.shape)
    if layout.form == "strings":
        strings = _strings(array)
        return [head, strings], len(head) + len(strings)
    if not array.size:
        return [head], len(head)
    values = _values(array, layout, tensor_content=tensor_content)
    size = len(values)
    check_size(size)
    field = _CONTENT_TAG if tensor_content else tag(layout.field_number)
    head += field + varint(size)
    return [head, values], len(head) + size


def check_size(size: int, what: str = "a tensor") -> None:
    """Raises ServingError (RESOURCE_EXHAUSTED) for what no message can hold."""
    if size > MAX_MESSAGE_BYTES:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"{what} takes {size} bytes; a message holds at most {MAX_MESSAGE_BYTES}",
        )


@lru_cache(1024)
def _head(number: int, shape: tuple[int, ...]) -> bytes:
    """dtype and shape; a size of 0 is not written, an empty shape is."""
    sizes = (_SIZE_TAG + varint(size) if size else b"" for size in shape)
    dims = b"".join(_DIM_TAG + varint(len(size)) + size for size in sizes)
    return _DTYPE_TAG + varint(number) + _SHAPE_TAG + varint(len(dims)) + dims


def _strings(array: NDArray[Any]) -> bytes:
    field = tag(LAYOUTS["DT_STRING"].field_number)
    texts: Iterable[bytes] = map(_bytes, array.reshape(-1).tolist())
    return b"".join([field + varint(len(text)) + text for text in texts])


def _values(array: NDArray[Any], layout: Layout, *, tensor_content: bool) -> bytes | memoryview:
    if array.dtype != layout.dtype and array.dtype.newbyteorder("=") != layout.dtype:
        raise ValueError(f"an array of {array.dtype} is no {layout.type_name}")
    as_memory = tensor_content or layout.form != "varints"
    if as_memory and array.nbytes <= _SMALL_BYTES and array.dtype.isnative:
        return array.tobytes()
    flat = np.asarray(array, layout.dtype, order="C").reshape(-1)
    if as_memory:
        # ml_dtypes have no buffer of their own.
        return flat.view(np.uint8).data
    return pack_varints(flat.view(layout.words))


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
