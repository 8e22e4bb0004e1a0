"""Do two answers of a model agree? Numbers to within a tolerance, everything else exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EXACT = "ObiuSU"
"""Kinds of dtypes whose values are compared exactly."""
SMALLEST_SCALE = 1e-6
"""Outputs that are all smaller than this are compared as if their largest magnitude were it."""
_WHOLE = "the answer"


def difference(
    expected: Mapping[str, NDArray[Any]], got: Mapping[str, NDArray[Any]], tolerance: float
) -> str:
    """What differs between two sets of outputs, by alias; empty if they agree.

    Numbers may be apart by ``tolerance`` times the largest magnitude of the expected output.
    """
    if expected.keys() != got.keys():
        return f"outputs {', '.join(sorted(got))} instead of {', '.join(sorted(expected))}"
    for name, value in expected.items():
        if reason := array_difference(np.asarray(value), np.asarray(got[name]), tolerance):
            return f'output "{name}" {reason}'
    return ""


def json_difference(expected: Any, got: Any, tolerance: float, place: str = "") -> str:
    """As ``difference``, of JSON values; ``place`` is where they stand (``outputs.y[3]``).

    A number may be apart by ``tolerance`` times its own magnitude, or times 1 if that is less.
    """
    if isinstance(expected, dict) and isinstance(got, dict) and expected.keys() == got.keys():
        parts = ((expected[k], got[k], f"{place}.{k}" if place else k) for k in expected)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        parts = (
            (e, g, f"{place}[{i}]") for i, (e, g) in enumerate(zip(expected, got, strict=True))
        )
    elif _is_number(expected) and _is_number(got):
        if _near(expected, got, tolerance):
            return ""
        return f"{place or _WHOLE} is {got}, not {expected}"
    elif type(expected) is type(got) and not isinstance(expected, dict | list):
        return "" if expected == got else f"{place or _WHOLE} differs"
    else:
        return f"{place or _WHOLE} has another form"
    return next(filter(None, (json_difference(e, g, tolerance, p) for e, g, p in parts)), "")


def array_difference(expected: NDArray[Any], got: NDArray[Any], tolerance: float) -> str:
    """As ``difference``, of one output. Integers, booleans and strings have to be equal."""
    if expected.shape != got.shape:
        return f"has the shape {list(got.shape)} instead of {list(expected.shape)}"
    if expected.dtype.kind in _EXACT or got.dtype.kind in _EXACT:
        return "" if np.array_equal(expected, got) else "differs"
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    one, other = expected.astype(wide), got.astype(wide)
    finite = np.abs(one[np.isfinite(one)])
    allowed = tolerance * max(float(finite.max(initial=0.0)), SMALLEST_SCALE)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(one - other) <= allowed
    same = near | (one == other) | (np.isnan(one) & np.isnan(other))
    return "" if bool(same.all()) else f"differs in {int((~same).sum())} of {same.size} values"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _near(expected: float, got: float, tolerance: float) -> bool:
    if expected == got or (expected != expected and got != got):
        return True
    try:
        distance, scale = abs(float(expected) - float(got)), max(1.0, abs(float(expected)))
    except OverflowError:
        return False
    return math.isfinite(scale) and distance <= tolerance * scale
