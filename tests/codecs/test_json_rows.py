"""Row form: one element a row, and which element is to blame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from codec_helpers import assert_array, decode, refusal

FAILED = "Failed to process element: "


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]]),
        ([1, 2.5], [1, 2.5]),
        ([[[1]], [[2]]], [[[1]], [[2]]]),
        ([[], []], [[], []]),
        ([{"x": [1, 2]}, {"x": [3, 4]}], [[1, 2], [3, 4]]),
        ([{"x": 7}], [7]),
    ],
)
def test_one_input(instances: Any, expected: Any) -> None:
    assert_array(decode({"instances": instances}, x="float")["x"], expected, np.float32)


def test_several_inputs() -> None:
    arrays = decode(
        b'{"signature_name":"s","instances":['
        b'{"i":[[1,2],[3,4]],"s":["foo","bar"],"f":[1.0,NaN],"u":true},'
        b'{"u":false,"f":[2.0,Infinity],"i":[[7,8],[9,0]],"s":["baz",{"b64":"YmF0"}]}]}',
        i="int32",
        s="string",
        f="float",
        u="bool",
    )
    assert list(arrays) == ["i", "s", "f", "u"]
    assert_array(arrays["i"], [[[1, 2], [3, 4]], [[7, 8], [9, 0]]], np.int32)
    assert_array(arrays["s"], [[b"foo", b"bar"], [b"baz", b"bat"]], np.object_)
    assert_array(arrays["f"], [[1, np.nan], [2, np.inf]], np.float32)
    assert_array(arrays["u"], [True, False], np.bool_)


def test_base64_objects_are_values() -> None:
    body = {"instances": [{"b64": "aGVsbG8="}, "world"]}
    assert_array(decode(body, x="string")["x"], [b"hello", b"world"], np.object_)


@pytest.mark.parametrize(
    ("instances", "phrase"),
    [
        ({"x": 1}, "Expecting 'instances' to be an list/array (got Object)"),
        ("abc", "Expecting 'instances' to be an list/array (got String)"),
        (None, "Expecting 'instances' to be an list/array (got Null)"),
        ([], "No values in 'instances' array"),
    ],
)
def test_instances_must_be_a_filled_list(instances: Any, phrase: str) -> None:
    assert phrase in refusal({"instances": instances}, x="float")


ONE_INPUT = {
    "size": (
        [[1, 2], [3, 4], [5, 6, 7]],
        f"{FAILED}2 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting tensor size: 2 but got: 3 (element 0 has shape [2], element 2 has [3])"
        ' (input "x": expected int32',
    ),
    "size of nothing": ([[], [1]], "Expecting tensor size: 0 but got: 1"),
    "shape": (
        [[1, 2], [3, 4], [[5, 6]]],
        f"{FAILED}2 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting shape [2] but got: [1,2]",
    ),
    "scalar, then list": ([1, [1]], "Expecting shape [] but got: [1]"),
    "ragged element": (
        [[[1, 2], [3]]],
        f"{FAILED}0 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    "wrong type": (
        [[1], ["a"]],
        f"{FAILED}1 of 'instances' list. Error: INVALID_ARGUMENT:"
        ' JSON Value: "a" Type: String is not of expected type: int32 (input "x": expected int32',
    ),
    "object after values": (
        [[1], {"x": [1]}],
        "Expecting value/list but got object at item 1 of input list (input: x; got Object)",
    ),
    "value after objects": (
        [{"x": 1}, {"x": 2}, [3]],
        "Expecting object but got list at item 2 of input list (expected keys: x; got Array)",
    ),
    "other name": (
        [{"y": 1}],
        f"{FAILED}0 key: y of 'instances' list. Error: INVALID_ARGUMENT:"
        ' JSON object: does not have named input: y (expected keys: x; got: ["y"])',
    ),
    "no name": ([{}], "JSON object: {} keys must be equal to: x (got: [])"),
    "base64 for a number": (
        [{"b64": "YQ=="}],
        'JSON Value: {"b64":"YQ=="} Type: Object is not of expected type: int32 (input "x"',
    ),
}


@pytest.mark.parametrize(("instances", "phrase"), ONE_INPUT.values(), ids=ONE_INPUT.keys())
def test_one_input_refused(instances: Any, phrase: str) -> None:
    assert phrase in refusal({"instances": instances}, x="int32")


TWO_INPUTS = {
    "plain list": (
        [[1], [2]],
        "instances is a plain list, but expecting list of objects as multiple input tensors"
        " required as per tensorinfo_map (expected keys: b,a; got Array)",
    ),
    "base64": ([{"b64": "YQ=="}], "instances is a plain list"),
    "missing": (
        [{"a": 1, "b": "x"}, {"a": 1}],
        f"{FAILED}1 of 'instances' list. JSON object: {{\"a\":1}} keys must be equal to: a,b"
        ' (got: ["a"])',
    ),
    "extra": (
        [{"a": 1, "b": "x", "c": 3}],
        f"{FAILED}0 key: c of 'instances' list. Error: INVALID_ARGUMENT:"
        " JSON object: does not have named input: c",
    ),
    "wrong type": (
        [{"a": 1, "b": "x"}, {"b": "y", "a": "z"}],
        f"{FAILED}1 key: a of 'instances' list. Error: INVALID_ARGUMENT:"
        ' JSON Value: "z" Type: String is not of expected type: float (input "a"',
    ),
    "size": (
        [{"a": [1], "b": "x"}, {"a": [1, 2], "b": "y"}],
        f"{FAILED}1 key: a of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting tensor size: 1 but got: 2",
    ),
    "null": ([{"a": 1, "b": "x"}, None], "Expecting object but got list at item 1"),
}


@pytest.mark.parametrize(("instances", "phrase"), TWO_INPUTS.values(), ids=TWO_INPUTS.keys())
def test_two_inputs_refused(instances: Any, phrase: str) -> None:
    assert phrase in refusal({"instances": instances}, b="string", a="float")


def test_an_unsupported_dtype_is_wrapped_into_invalid_argument() -> None:
    assert refusal({"instances": [1.5]}, x="half").startswith(
        f"{FAILED}0 of 'instances' list. Error: UNIMPLEMENTED:"
        ' Conversion of JSON Value: 1.5 to type: half (input "x"'
    )


def test_the_list_of_rows_counts_as_a_level() -> None:
    fits = b'{"instances":%b}' % (b"[" * 64 + b"1" + b"]" * 64)
    assert decode(fits, x="float")["x"].ndim == 64
    deeper = b'{"instances":%b}' % (b"[" * 65 + b"1" + b"]" * 65)
    assert "more than 64 levels" in refusal(deeper, x="float")


def test_a_long_value_is_cut() -> None:
    message = refusal({"instances": ["x" * 5000]}, x="float")
    assert '"' + "x" * 255 + "... Type: String is not of expected type: float" in message


def test_a_long_object_is_cut() -> None:
    message = refusal({"instances": [{f"key{i}": i for i in range(5000)}]}, x="float", y="float")
    assert len(message) < 800
