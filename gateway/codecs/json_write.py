"""One array to JSON text, exact to the last bit."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from gateway.backends.base import TensorSpec
from gateway.codecs.json_text import type_label
from gateway.errors import invalid_argument

WRITABLE = frozenset(
    np.dtype(name) for name in ("?", "i1", "i2", "i4", "i8", "u1", "u4", "u8", "f4", "f8", "O")
)
"""The dtypes that TF Serving writes; half, uint16, complex and their like are refused."""

_NON_FINITE = np.array([b"NaN", b"Infinity", b"-Infinity"], dtype=object)


def write_array(array: NDArray[Any], spec: TensorSpec) -> bytes:
    """``array`` as nested JSON lists; a scalar without brackets.

    Floats are the shortest text that reads back as the same float of their own width, whole ones
    with ``.0``; ``NaN``, ``Infinity`` and ``-Infinity`` stand bare. Strings are text where they
    are valid UTF-8 and the alias does not end in ``_bytes``, else ``{"b64": "..."}``.

    Raises ServingError (INVALID_ARGUMENT) for a dtype that JSON cannot carry.
    """
    array = _dumpable(array, spec)
    kind = array.dtype.kind
    if kind == "O":
        return orjson.dumps(_string_values(array, spec))
    if array.ndim == 0:
        return write_array(array.reshape(1), spec)[1:-1]
    text = orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson writes null for what is not finite; no number has an n in it.
    if kind == "f" and b"n" in text:
        return _name_non_finite(text, array)
    return text


def write_rows(array: NDArray[Any], spec: TensorSpec) -> list[bytes]:
    """One JSON text for each position of the 0th dimension of ``array`` (rank >= 1)."""
    array = _dumpable(array, spec)
    if not array.size:
        return [orjson.dumps(row) for row in array.tolist()]
    if array.dtype.kind == "O":
        return [orjson.dumps(row) for row in _string_values(array, spec)]
    text = write_array(array, spec)
    depth = array.ndim - 1
    opening, closing = b"[" * depth, b"]" * depth
    rows = text[depth + 1 : -depth - 1].split(closing + b"," + opening)
    return [opening + row + closing for row in rows] if depth else rows


def _dumpable(array: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """``array`` as orjson takes it: C-contiguous, aligned, of native byte order."""
    dtype = array.dtype
    flags = array.flags
    if dtype in WRITABLE and flags.c_contiguous and flags.aligned:
        return array
    native = dtype.newbyteorder("=")
    if native not in WRITABLE:
        raise invalid_argument(
            f'Failed to write JSON value for tensor type: {type_label(spec)} (output "{spec.name}")'
        )
    return np.array(array, dtype=native, order="C")


def _name_non_finite(text: bytes, array: NDArray[Any]) -> bytes:
    """Put the names of the values that orjson wrote as ``null`` in their places, in C order."""
    values = array[~np.isfinite(array)]
    names = _NON_FINITE[np.where(np.isnan(values), 0, np.where(values > 0, 1, 2))]
    return text.replace(b"null", b"%b") % tuple(names.tolist())


def _string_values(array: NDArray[Any], spec: TensorSpec) -> Any:
    """Nested lists of ``str`` or ``{"b64": ...}`` from an object array of ``bytes``."""
    if not array.size:
        return array.tolist()
    values: list[Any] = array.reshape(-1).tolist()
    if spec.name.endswith("_bytes"):
        values = [*map(_base64_object, values)]
    else:
        try:
            values = [*map(bytes.decode, values)]
        except UnicodeDecodeError:
            values = [*map(_text_or_base64, values)]
    for size in reversed(array.shape[1:]):
        values = [values[start : start + size] for start in range(0, len(values), size)]
    return values if array.ndim else values[0]


def _text_or_base64(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _base64_object(value)


def _base64_object(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}
