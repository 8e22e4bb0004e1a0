"""The best classes of an output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.errors import ServingError
from gateway.oip.classification import classify
from gateway.oip.datatypes import DATATYPES

FP32 = DATATYPES["FP32"]


def test_rows() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [2.0, -1.0, np.inf]], np.float32)
    classes = classify(scores, FP32, 2, "y", labels=["cat", "dog"], batched=True)
    assert classes.tolist() == [[b"0.900000:1:dog", b"0.500000:2"], [b"inf:2", b"2.000000:0:cat"]]


def test_without_a_batch_axis_all_values_are_classes() -> None:
    scores = np.array([[1, 2], [4, 3]], np.float32)
    classes = classify(scores, FP32, 3, "y", batched=False)
    assert classes.tolist() == [b"4.000000:2", b"3.000000:3", b"2.000000:1"]


def test_more_classes_than_there_are() -> None:
    assert classify(np.ones((2, 2), np.float32), FP32, 9, "y", batched=True).shape == (2, 2)
    assert classify(np.ones((2, 0), np.float32), FP32, 9, "y", batched=True).shape == (2, 0)
    assert classify(np.ones((2,), np.float32), FP32, 9, "y", batched=True).shape == (2, 1)


def test_equal_values_and_no_values() -> None:
    scores = np.array([[np.nan, 1, 2, 2]], np.float32)
    classes = classify(scores, FP32, 4, "y", batched=True)
    assert classes.tolist() == [[b"2.000000:2", b"2.000000:3", b"1.000000:1", b"nan:0"]]


@pytest.mark.parametrize("name", ["UINT8", "UINT64", "INT8", "INT64"])
def test_integers_to_their_ends(name: str) -> None:
    datatype = DATATYPES[name]
    limits = np.iinfo(datatype.dtype)
    values = np.array([[limits.min, limits.max, 5, limits.max]], datatype.dtype)
    classes = classify(values, datatype, 4, "y", batched=True)
    expected = [f"{limits.max}:1", f"{limits.max}:3", "5:2", f"{limits.min}:0"]
    assert classes.tolist() == [[text.encode() for text in expected]]


@pytest.mark.parametrize("name", ["FP16", "BF16", "FP64"])
def test_other_floats(name: str) -> None:
    values = np.array([[0.5, 2.0]], DATATYPES[name].dtype)
    classes = classify(values, DATATYPES[name], 1, "y", batched=True)
    assert classes.tolist() == [[b"2.000000:1"]]


@pytest.mark.parametrize("name", ["BOOL", "BYTES"])
def test_what_has_no_order(name: str) -> None:
    values = np.zeros((1, 2), DATATYPES[name].dtype)
    with pytest.raises(ServingError, match=f"output 'y' cannot be classified: it is {name}"):
        classify(values, DATATYPES[name], 1, "y", batched=True)


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=3)), st.integers(1, 9))
def test_the_highest_in_order(values: np.ndarray, count: int) -> None:
    classes = classify(values, DATATYPES["INT16"], count, "y", batched=True)
    for row, found in zip(values.reshape(len(values), -1), classes, strict=True):
        pairs = [tuple(map(int, text.split(b":"))) for text in found]
        assert pairs == sorted(((v, i) for i, v in enumerate(row.tolist())),
                               key=lambda pair: (-pair[0], pair[1]))[:count]  # fmt: skip
