"""Do two answers agree?"""

from __future__ import annotations

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import ArrayLike, DTypeLike

from gateway.models.comparison import difference, json_difference

LARGEST = np.finfo(np.float64).max


def compare(
    expected: ArrayLike, got: ArrayLike, tolerance: float = 1e-3, dtype: DTypeLike = np.float32
) -> str:
    one, other = np.asarray(expected, dtype), np.asarray(got, dtype)
    return difference({"y": one}, {"y": other}, tolerance)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 1000.0], [1.5, 1000.5]),  # within 1e-3 of the largest
        ([math.nan, math.inf, -math.inf], [math.nan, math.inf, -math.inf]),
        ([math.inf, 100.0], [math.inf, 100.05]),
        ([0.0, 0.0], [0.0, 1e-10]),
        ([], []),
        (7.0, 7.0),
    ],
)
def test_agreement(expected: ArrayLike, got: ArrayLike) -> None:
    assert compare(expected, got) == ""


@pytest.mark.parametrize(
    ("expected", "got", "reason"),
    [
        ([1.0, 2.0], [1.0, 2.1], "differs in 1 of 2 values"),
        ([0.0, 0.0], [0.0, 1e-6], "differs in 1 of 2 values"),
        ([1.0, math.nan], [math.nan, 1.0], "differs in 2 of 2 values"),
        ([math.inf, 1.0], [-math.inf, 1.0], "differs in 1 of 2 values"),
        ([math.inf], [5.0], "differs in 1 of 1 values"),
        ([5.0], [math.inf], "differs in 1 of 1 values"),
        ([1.0], [1.0, 1.0], "has the shape [2] instead of [1]"),
        ([[1.0]], [1.0], "has the shape [1] instead of [1, 1]"),
        ([1.0], 1.0, "has the shape [] instead of [1]"),
    ],
)
def test_disagreement(expected: ArrayLike, got: ArrayLike, reason: str) -> None:
    assert compare(expected, got) == f'output "y" {reason}'


@pytest.mark.parametrize(
    ("expected", "got", "dtype", "same"),
    [
        ([b"a", b"\xff"], [b"a", b"\xff"], object, True),
        ([b"a"], [b"b"], object, False),
        ([True, False], [True, False], bool, True),
        ([True], [False], bool, False),
        ([1 + 1j, complex(math.inf, 0)], [1 + 1.0001j, complex(math.inf, 0)], np.complex64, True),
        ([1 + 1j], [1 - 1j], np.complex64, False),
        ([1.0, 2.0], [1.0, 2.0], ml_dtypes.bfloat16, True),
        ([1.0, 2.0], [1.0, 3.0], ml_dtypes.bfloat16, False),
        ([2**63], [2**63], np.uint64, True),
        ([100], [99], np.int8, False),
        ([LARGEST], [-LARGEST], np.float64, False),
    ],
)
def test_dtypes(expected: list[Any], got: list[Any], dtype: DTypeLike, same: bool) -> None:
    assert (compare(expected, got, dtype=dtype) == "") is same


def test_strings_are_no_numbers() -> None:
    one, other = np.array([1.0]), np.array([b"1.0"], dtype=object)
    assert difference({"y": one}, {"y": other}, 1.0) == 'output "y" differs'


def test_other_outputs() -> None:
    y = np.zeros(1)
    assert difference({"y": y}, {"z": y, "a": y}, 1.0) == "outputs a, z instead of y"


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_side=0), elements=st.floats(width=64)),
    st.floats(0, 1e-3),
)
def test_everything_agrees_with_itself(array: np.ndarray, tolerance: float) -> None:
    assert difference({"y": array}, {"y": array.copy()}, tolerance) == ""


@pytest.mark.parametrize(
    ("expected", "got", "reason"),
    [
        ({"predictions": [1, 2]}, {"predictions": [1.0, 2.00001]}, ""),
        ({"predictions": [1, 2]}, {"predictions": [1, 2.1]}, "predictions[1] is 2.1, not 2"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b is 2, not 1"),
        ({"a": 1}, {"b": 1}, "the answer has another form"),
        ({"a": [1]}, {"a": [1, 2]}, "a has another form"),
        ({"a": [1]}, {"a": 1}, "a has another form"),
        ({"a": 1}, {"a": True}, "a has another form"),
        ({"a": "x"}, {"a": "y"}, "a differs"),
        ({"a": None}, {"a": None}, ""),
        ({"a": None}, {"a": 0}, "a has another form"),
        ({"a": math.nan}, {"a": math.nan}, ""),
        ({"a": math.inf}, {"a": -math.inf}, "a is -inf, not inf"),
        ({"a": 1e-9}, {"a": 0}, ""),
        ({"a": 10**400}, {"a": 1.5}, "a is 1.5, not 1"),
        ({}, {}, ""),
        (1, 2, "the answer is 2, not 1"),
        ([], {}, "the answer has another form"),
    ],
)
def test_json_values(expected: Any, got: Any, reason: str) -> None:
    found = json_difference(expected, got, 1e-4)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_agrees_with_itself(value: Any) -> None:
    assert json_difference(value, json.loads(json.dumps(value)), 0.0) == ""
