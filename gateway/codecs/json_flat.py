"""Parsed JSON lists to flat values, packed as C has them: the kinds are checked in the same pass.

``struct`` takes for a float any number and for an integer only whole ones within range, and is
several times as fast as numpy on lists. What it refuses or cannot tell (true is a number to it) is
left to ``json_values``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching import PackedInputs, aligned_empty
from batching.packed import Column
from gateway.backends.base import TensorSpec

CODES: Mapping[str, str] = {
    "DT_FLOAT": "f",
    "DT_DOUBLE": "d",
    "DT_INT32": "i",
    "DT_UINT32": "I",
    "DT_INT64": "q",
    "DT_UINT64": "Q",
}
"""How ``struct`` calls the dtypes that need no narrowing. Its native float, as numpy's, becomes
infinite beyond its range."""

_KINDS = {"f": "f", "d": "f", "i": "i", "I": "u", "q": "i", "Q": "u"}
"""numpy's kind letters."""

MOST_PACKED_VALUES = 2048
"""A larger input pays for an array of its own: TensorFlow takes that one without a copy."""

_DEEPEST = 32
_NUMBERS = {int, float}
_Packed = tuple[bytes | list[Any], int, tuple[int, ...]]
"""Values, rows and the shape of a row."""


def pack_row(value: Any, spec: TensorSpec) -> PackedInputs | None:
    """The commonest request at the least cost: one row, a list of nothing but numbers. None for all
    others."""
    if type(value) is not list or len(value) != 1 or type(value[0]) is not list:
        return None
    row = value[0]
    count = len(row)
    if not 0 < count <= MOST_PACKED_VALUES or spec.type_name not in CODES:
        return None
    pack, key = _row_layout(spec.name, spec.type_name, count)
    try:
        values = pack(*row)
    except (struct.error, OverflowError):
        return None
    return PackedInputs((values,), key, 1)


def pack_columns(
    columns: Mapping[str, Any], specs: Mapping[str, TensorSpec], *, numbers_only: bool
) -> PackedInputs | None:
    """The inputs as flat values, or None: they do not fit, are large, empty, of different numbers
    of rows, or of a dtype that needs another way.

    ``numbers_only`` promises that no leaf is a string, true, false or null.
    """
    if len(columns) == 1:
        [(alias, value)] = columns.items()
        spec = specs[alias]
        found = _pack(value, spec, numbers_only=numbers_only)
        if found is None:
            return None
        values, rows, shape = found
        return PackedInputs((values,), ((alias, spec.dtype, shape),), rows)
    return _pack_several(columns, specs, numbers_only=numbers_only)


def pack_array(value: Any, spec: TensorSpec, *, numbers_only: bool) -> NDArray[Any] | None:
    """``value`` as an array of its own; None as for ``pack_columns``."""
    code = CODES.get(spec.type_name)
    found = _flatten(value, numbers_only=numbers_only) if code else None
    if code is None or found is None:
        return None
    leaves, rows, shape = found
    if not numbers_only and not set(map(type, leaves)) <= _NUMBERS:
        return None
    return fill(aligned_empty((rows, *shape), spec.dtype), code, leaves)


def fill(array: NDArray[Any], code: str, leaves: list[Any]) -> NDArray[Any] | None:
    """``array`` with ``leaves`` written into it in C order; None where one of them does not fit,
    or their number."""
    try:
        packer(code, array.size).pack_into(array.data, 0, *leaves)
    except (struct.error, OverflowError):
        return None
    return array


@lru_cache(512)
def packer(code: str, count: int) -> struct.Struct:
    """Packs ``count`` values of ``code`` in native byte order."""
    return struct.Struct(f"{count}{code}")


@lru_cache(512)
def _row_layout(
    name: str, type_name: str, count: int
) -> tuple[Callable[..., bytes], tuple[Column, ...]]:
    """What packs a row, and its key: one and the same for equal rows, so that the batcher compares
    no more than identities."""
    code = CODES[type_name]
    packer_of_row = packer(code, count)
    # By size: C has two names for the same 64 bits, and numpy a dtype for each.
    dtype = np.dtype(f"{_KINDS[code]}{packer_of_row.size // count}")
    return packer_of_row.pack, ((name, dtype, (count,)),)


def _pack_several(
    columns: Mapping[str, Any], specs: Mapping[str, TensorSpec], *, numbers_only: bool
) -> PackedInputs | None:
    data: list[bytes | list[Any]] = []
    key: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    rows = 0
    for alias in sorted(columns):
        spec = specs[alias]
        found = _pack(columns[alias], spec, numbers_only=numbers_only)
        if found is None or rows not in (0, found[1]):
            return None
        values, rows, shape = found
        data.append(values)
        key.append((alias, spec.dtype, shape))
    return PackedInputs(data, tuple(key), rows) if rows else None


def _pack(value: Any, spec: TensorSpec, *, numbers_only: bool) -> _Packed | None:
    found = _flatten(value, numbers_only=numbers_only)
    if found is None:
        return None
    leaves, rows, shape = found
    count = len(leaves)
    if count > MOST_PACKED_VALUES:
        return None
    type_name = spec.type_name
    try:
        if type_name == "DT_STRING":
            return [*map(str.encode, leaves)], rows, shape
        if numbers_only or set(map(type, leaves)) <= _NUMBERS:
            return packer(CODES[type_name], count).pack(*leaves), rows, shape
    except (struct.error, OverflowError, TypeError, KeyError):
        pass
    return None


def _flatten(value: Any, *, numbers_only: bool) -> tuple[list[Any], int, tuple[int, ...]] | None:
    """Leaves in C order, the number of rows and the shape of a row of regular, filled lists; else
    None.

    With ``numbers_only`` a leaf may also be an object, or a letter of its keys, where lists go on:
    a number it is not.
    """
    if type(value) is not list or not value:
        return None
    rows = len(value)
    first = value[0]
    if type(first) is not list:
        return value, rows, ()
    if rows == 1 and first and type(first[0]) is not list:
        return first, 1, (len(first),)
    leaves: list[Any] = value
    counts = [rows]
    while type(leaves[0]) is list:
        below = leaves[0] if len(leaves) == 1 else _joined(leaves, numbers_only=numbers_only)
        if not below:
            return None
        leaves = below
        counts.append(len(below))
        if len(counts) > _DEEPEST:
            return None
    return leaves, rows, tuple([below // above for above, below in pairwise(counts)])


def _joined(lists: list[Any], *, numbers_only: bool) -> list[Any] | None:
    """What is in all of ``lists``, if they are lists and of one length."""
    if not numbers_only and set(map(type, lists)) != {list}:
        return None
    try:
        regular = set(map(len, lists)) == {len(lists[0])}
    except TypeError:
        return None
    return list(chain.from_iterable(lists)) if regular else None
