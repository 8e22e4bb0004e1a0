"""Why a JSON value does not fit an input: TF Serving's phrase, then what was expected.

Slow and exact: it runs only after ``json_values`` has refused, and finds the first fault in
reading order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gateway.backends.base import TensorSpec
from gateway.codecs.json_text import json_type, quote, type_label
from gateway.codecs.json_values import decode_base64, is_base64
from gateway.errors import Code, ServingError, invalid_argument

MAX_RANK = 64
"""numpy's limit on dimensions, hence on nested lists."""


def find_fault(value: Any, spec: TensorSpec, *, max_rank: int = MAX_RANK) -> ServingError | None:
    """The first fault of ``value`` as a tensor for ``spec``; None when it fits.

    INVALID_ARGUMENT, or UNIMPLEMENTED for a dtype that JSON cannot carry. The message names the
    input and what it expects.
    """
    fits = _LEAF_CHECKS.get(spec.type_name)
    if fits is None:
        phrase = f"Conversion of JSON Value: {quote(value)} to type: {type_label(spec)}"
        return ServingError(Code.UNIMPLEMENTED, phrase + expectation(spec))
    shape = leading_shape(value, max_rank + 1)
    if len(shape) > max_rank:
        phrase = f"JSON Value: {quote(value)} is nested too deeply: more than {MAX_RANK} levels"
    else:
        phrase = _walk(value, shape, 0, _Leaves(type_label(spec), fits))
    return invalid_argument(phrase + expectation(spec)) if phrase else None


def expectation(spec: TensorSpec) -> str:
    """The end of a message: which input it is about and what that takes."""
    return f' (input "{spec.name}": expected {_wanted(spec)})'


def leading_shape(value: Any, limit: int = MAX_RANK) -> tuple[int, ...]:
    """List lengths along first elements, at most ``limit`` of them: the shape TF Serving expects
    the rest to have."""
    shape: list[int] = []
    while type(value) is list and len(shape) < limit:
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _wanted(spec: TensorSpec) -> str:
    if spec.dtype.kind in "iu" and spec.type_name in _LEAF_CHECKS:
        limits = np.iinfo(spec.dtype)
        return f"{type_label(spec)}, whole numbers from {limits.min} to {limits.max}"
    match spec.type_name:
        case "DT_FLOAT" | "DT_DOUBLE":
            return spec.dtype.name
        case "DT_BOOL":
            return "bool, true or false"
        case "DT_STRING":
            return 'string, text or {"b64": "..."}'
        case _:
            return f"{type_label(spec)}, which JSON requests do not support"


def _walk(value: Any, shape: tuple[int, ...], level: int, leaves: _Leaves) -> str:
    """The first phrase against ``value``; recursion ends at the rank, at most ``MAX_RANK``."""
    rank = len(shape)
    if type(value) is list:
        return _list_phrase(value, shape, level) or _walk_children(value, shape, level, leaves)
    if level == rank:
        return leaves.phrase(value)
    return (
        f"JSON Value: {quote(value)} found at incorrect level: {level + 1} in the JSON DOM."
        f" Expected at level: {rank}"
    )


def _walk_children(value: list[Any], shape: tuple[int, ...], level: int, leaves: _Leaves) -> str:
    if level + 1 == len(shape) and all(map(leaves.fits, value)):
        return ""
    for child in value:
        phrase = _walk(child, shape, level + 1, leaves)
        if phrase:
            return phrase
    return ""


def _list_phrase(value: list[Any], shape: tuple[int, ...], level: int) -> str:
    if level >= len(shape):
        return f"Encountered list at unexpected level: {level} expected < {len(shape)}"
    if len(value) != shape[level]:
        return (
            f"Encountered list at unexpected size: {len(value)} at level: {level}"
            f" expected size: {shape[level]}"
        )
    return ""


@dataclass(frozen=True, slots=True)
class _Leaves:
    """What the leaves of one dtype may be."""

    label: str
    fits: Callable[[Any], bool]

    def phrase(self, leaf: Any) -> str:
        """The phrase against ``leaf``, empty when it fits."""
        if self.fits(leaf):
            return ""
        if self.label == "string" and type(leaf) is dict:
            return _base64_fault(leaf)
        return (
            f"JSON Value: {quote(leaf)} Type: {json_type(leaf)}"
            f" is not of expected type: {self.label}"
        )


def _base64_fault(leaf: dict[str, Any]) -> str:
    if is_base64(leaf):
        return f"Unable to base64 decode: {quote(leaf)}"
    return f"JSON Value: {quote(leaf)} not formatted correctly for base64 data"


def _is_number(leaf: Any) -> bool:
    return type(leaf) in (int, float)


def _is_integer(low: int, high: int, leaf: Any) -> bool:
    return type(leaf) is int and low <= leaf <= high


def _is_bool(leaf: Any) -> bool:
    return type(leaf) is bool


def _is_string(leaf: Any) -> bool:
    if type(leaf) is str:
        return True
    try:
        return is_base64(leaf) and decode_base64(leaf["b64"]) is not None
    except ValueError:
        return False


_is_int32 = partial(_is_integer, -(2**31), 2**31 - 1)

_LEAF_CHECKS: dict[str, Callable[[Any], bool]] = {
    "DT_FLOAT": _is_number,
    "DT_DOUBLE": _is_number,
    # TF Serving takes any int32 for the small integers; they wrap around.
    "DT_INT8": _is_int32,
    "DT_UINT8": _is_int32,
    "DT_INT16": _is_int32,
    "DT_INT32": _is_int32,
    "DT_UINT32": partial(_is_integer, 0, 2**32 - 1),
    "DT_INT64": partial(_is_integer, -(2**63), 2**63 - 1),
    "DT_UINT64": partial(_is_integer, 0, 2**64 - 1),
    "DT_BOOL": _is_bool,
    "DT_STRING": _is_string,
}
