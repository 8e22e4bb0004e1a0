"""Column form: one value an input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from codec_helpers import assert_array, decode, refusal

from gateway.errors import Code


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ({"x": [[1, 2]]}, [[1, 2]]),
        (5, 5),
        ({"x": 5}, 5),
        ([], []),
        ({"x": [[]]}, [[]]),
    ],
)
def test_one_input(inputs: Any, expected: Any) -> None:
    assert_array(decode({"inputs": inputs}, x="int64")["x"], expected, np.int64)


def test_several_inputs_of_any_length() -> None:
    inputs = {"s": {"b64": "aGVsbG8="}, "i": [[[1, 2], [3, 4]]], "t": ["foo", "bar"]}
    arrays = decode({"inputs": inputs}, i="int32", t="string", s="string")
    assert list(arrays) == ["i", "t", "s"]
    assert_array(arrays["i"], [[[1, 2], [3, 4]]], np.int32)
    assert_array(arrays["t"], [b"foo", b"bar"], np.object_)
    assert_array(arrays["s"], b"hello", np.object_)


@pytest.mark.parametrize(
    ("inputs", "phrase"),
    [
        ({}, "Missing named input: a in 'inputs' object. (expected keys: a,b; got: [])"),
        ({"b": "x"}, "Missing named input: a in 'inputs' object."),
        ({"a": 1, "c": 2}, "Missing named input: b in 'inputs' object."),
        (
            {"a": 1, "b": "x", "c": 2},
            "Unknown named inputs: [\"c\"] in 'inputs' object."
            ' (expected keys: a,b; got: ["a","b","c"])',
        ),
        (
            [1, 2],
            "inputs is a plain value/list, but expecting an object as multiple input tensors"
            " required as per tensorinfo_map (expected keys: a,b; got Array)",
        ),
        ({"b64": "YQ=="}, "inputs is a plain value/list"),
        (None, "inputs is a plain value/list"),
        (
            {"a": [1, "x"], "b": "x"},
            'JSON Value: "x" Type: String is not of expected type: float'
            ' (input "a": expected float32)',
        ),
        (
            {"a": 1, "b": [["x"], "y"]},
            'JSON Value: "y" found at incorrect level: 2 in the JSON DOM. Expected at level: 2'
            ' (input "b": expected string',
        ),
    ],
)
def test_refused(inputs: Any, phrase: str) -> None:
    assert phrase in refusal({"inputs": inputs}, a="float", b="string")


def test_one_input_under_another_name() -> None:
    message = refusal({"inputs": {"y": 1}}, x="float")
    assert "Missing named input: x in 'inputs' object. (expected keys: x; got: [\"y\"])" in message


def test_unsupported_dtype_among_others() -> None:
    message = refusal({"inputs": {"a": 1, "h": 2}}, Code.UNIMPLEMENTED, a="float", h="half")
    assert message.startswith('Conversion of JSON Value: 2 to type: half (input "h"')
