"""The check of answers, which must be able to fail."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loadgen.answers import (
    AnswerCheck,
    Sample,
    demo_samples,
    equal_values,
    is_predict_answer,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_a_value_equals_itself(value: Any) -> None:
    assert equal_values(value, json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1.0, 2.0], [2.0, 1.0]),
        ([1.0], [1.0, 1.0]),
        ([1.0], 1.0),
        ({"a": 1.0}, {"b": 1.0}),
        (1.0, 1.01),
        (10_000, 10_001),
        (True, 1),
        (0.0, False),
        (None, 0.0),
        ("1", 1),
        (math.nan, 1.0),
        (math.inf, -math.inf),
    ],
)
def test_other_values_differ(value: Any, expected: Any) -> None:
    assert not equal_values(value, expected)
    assert not equal_values(expected, value)


@pytest.mark.parametrize(("value", "expected"), [(1.000001, 1.0), (3, 3.0), (math.nan, math.nan)])
def test_one_number_has_several_forms(value: Any, expected: Any) -> None:
    assert equal_values(value, expected)
    assert equal_values(expected, value)


def test_every_demo_request_has_an_answer_of_its_own() -> None:
    samples = demo_samples()
    bodies = {sample.body for sample in samples}
    answers = {json.dumps(sample.expected) for sample in samples}
    assert len(bodies) == len(answers) == len(samples) > 1
    for sample in samples:
        (x,) = json.loads(sample.body)["instances"]
        assert sample.expected == {"predictions": [x / 2 + 2]}


def test_the_answer_to_another_request_is_a_fault() -> None:
    check = AnswerCheck(demo_samples())
    first, second = (json.dumps(sample.expected).encode() for sample in demo_samples()[:2])
    assert check.fault(0, 200, first) is None
    fault = check.fault(0, 200, second)
    assert fault is not None
    assert fault.startswith("wrong: ")
    assert check.fault(1, 200, second) is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (503, b'{"predictions":[2.5]}', "status 503: "),
        (200, b'{"predictions":[2.5', "not what was asked for: "),
        (200, b"\xff", "not what was asked for: "),
        (200, b'{"error":"no"}', "wrong: "),
    ],
)
def test_faults(status: int, body: bytes, fault: str) -> None:
    found = AnswerCheck(demo_samples()).fault(0, status, body)
    assert found is not None
    assert found.startswith(fault)


def test_an_unknown_model_is_compared_with_its_first_answer() -> None:
    check = AnswerCheck([Sample(b"{}")])
    assert check.fault(0, 200, b'{"error":"x"}') == 'no predict answer: {"error":"x"}'
    assert check.fault(0, 200, b'{"outputs":[1.0]}') is None
    assert check.fault(0, 200, b'{"outputs":[1.0000001]}') is None
    assert check.fault(0, 200, b'{"outputs":[1.5]}') is not None


def test_of_answers_with_other_bytes_each_nth_is_looked_at() -> None:
    check = AnswerCheck([Sample(b"{}", {"outputs": 1.0})], every=3)
    assert check.fault(0, 200, b'{"outputs":1.0}') is None
    faults = [check.fault(0, 200, b'{"outputs":2.0}') is not None for _ in range(6)]
    assert faults == [False, False, True, False, False, True]


def test_what_a_predict_answer_is() -> None:
    assert is_predict_answer({"predictions": []})
    assert is_predict_answer({"outputs": {}})
    assert not is_predict_answer({"predictions": [], "outputs": []})
    assert not is_predict_answer([])
