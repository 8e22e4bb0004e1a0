"""One JSON value to one array of a declared dtype: the fast road, which only says yes or no.

The rules are TF Serving's (json_tensor). Whatever is refused here, ``json_faults`` explains.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import TensorSpec
from gateway.codecs.json_flat import pack_array
from gateway.codecs.overflow import overflow_allowed

_Reader = Callable[[Any, bool], NDArray[Any] | None]

_UINT64 = np.dtype(np.uint64)
_SPACES = str.maketrans("", "", " \t\n\v\f\r")


def read_array(value: Any, spec: TensorSpec, *, numbers_only: bool) -> NDArray[Any] | None:
    """``value`` as a C-contiguous array of ``spec.dtype``, or None where it does not fit.

    The shape comes from the nesting of the lists alone; the declared one is not enforced.
    ``numbers_only`` promises that no leaf is a string, true, false or null, which spares a look
    at every leaf. Strings become an object array of ``bytes``.
    """
    reader = _READERS.get(spec.type_name)
    if reader is None:
        return None
    packed = pack_array(value, spec, numbers_only=numbers_only)
    if packed is not None:
        return packed
    try:
        return reader(value, numbers_only)
    except (TypeError, ValueError, OverflowError):
        return None


def is_base64(value: Any) -> bool:
    """Whether ``value`` is ``{"b64": "..."}``, which stands for a string, not for an object."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def decode_base64(text: str) -> bytes:
    """Raises ValueError. White space and missing padding pass, as in TF Serving (absl)."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        bare = text.translate(_SPACES)
        padding = "" if bare.endswith("=") else "=" * (-len(bare) % 4)
        return binascii.a2b_base64(bare + padding, strict_mode=True)


def _read_floats(dtype: np.dtype[Any], value: Any, numbers_only: bool) -> NDArray[Any] | None:
    array: NDArray[Any] = overflow_allowed.run(np.asarray, value, dtype)
    if numbers_only or _leaf_types(value, array.ndim) <= {int, float}:
        return array
    return None


def _read_integers(
    dtype: np.dtype[Any], wide: np.dtype[Any], value: Any, numbers_only: bool
) -> NDArray[Any] | None:
    """``wide`` sets the accepted range; a narrower ``dtype`` wraps around."""
    if numbers_only and wide is not _UINT64:
        array = _narrow(np.asarray(value), wide)
    else:
        # A dtype must be named here: left to itself, numpy gives every leaf the room of the
        # longest string. Out of range raises OverflowError.
        array = np.asarray(value, wide)
        if not _leaf_types(value, array.ndim) <= {int}:
            return None
    return None if array is None else array.astype(dtype, copy=False)


def _narrow(array: NDArray[Any], wide: np.dtype[Any]) -> NDArray[Any] | None:
    if array.dtype == wide:
        return array
    if array.dtype.kind != "i":
        return None if array.size else array.astype(wide)
    narrowed = array.astype(wide)
    return None if np.count_nonzero(narrowed != array) else narrowed


def _read_bools(value: Any, _numbers_only: bool) -> NDArray[Any] | None:
    array = np.asarray(value, np.bool_)
    return array if _leaf_types(value, array.ndim) <= {bool} else None


def _read_strings(value: Any, _numbers_only: bool) -> NDArray[Any]:
    array = np.array(value, dtype=object)
    flat = array.reshape(-1)
    leaves = flat.tolist()
    try:
        flat[:] = [*map(str.encode, leaves)]
    except TypeError:
        flat[:] = [*map(_to_bytes, leaves)]
    return array


def _to_bytes(leaf: Any) -> bytes:
    if type(leaf) is str:
        return leaf.encode()
    if is_base64(leaf):
        return decode_base64(leaf["b64"])
    raise TypeError


def _leaf_types(value: Any, levels: int) -> set[type]:
    """Types of the leaves under ``levels`` levels of lists that are known to be regular."""
    if levels == 0:
        return {type(value)}
    for _ in range(levels - 1):
        value = chain.from_iterable(value)
    return set(map(type, value))


def _integers(dtype: type[np.integer[Any]], wide: type[np.integer[Any]]) -> _Reader:
    return partial(_read_integers, np.dtype(dtype), np.dtype(wide))


_READERS: dict[str, _Reader] = {
    "DT_FLOAT": partial(_read_floats, np.dtype(np.float32)),
    "DT_DOUBLE": partial(_read_floats, np.dtype(np.float64)),
    "DT_INT8": _integers(np.int8, np.int32),
    "DT_UINT8": _integers(np.uint8, np.int32),
    "DT_INT16": _integers(np.int16, np.int32),
    "DT_INT32": _integers(np.int32, np.int32),
    "DT_UINT32": _integers(np.uint32, np.uint32),
    "DT_INT64": _integers(np.int64, np.int64),
    "DT_UINT64": _integers(np.uint64, np.uint64),
    "DT_BOOL": _read_bools,
    "DT_STRING": _read_strings,
}
