"""The dtype rules, value by value, through the column form of one input."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from codec_helpers import DTYPES, UNSUPPORTED, assert_array, decode, refusal

from gateway.errors import Code

INFINITE, NAN = float("inf"), float("nan")

ACCEPTED = [
    ("float", "[1, 2.5, -3e2, 0]", [1, 2.5, -300, 0]),
    ("float", "[16777217]", [16777217]),
    ("float", "[NaN, Infinity, -Inf]", [NAN, INFINITE, -INFINITE]),
    ("float", "[1e300, -1e300, 1e-300]", [INFINITE, -INFINITE, 0.0]),
    ("float", "[18446744073709551615, -1]", [2.0**64, -1.0]),
    ("float", "18446744073709551616", 2.0**64),
    ("double", "[1e300, 1, 9007199254740993]", [1e300, 1.0, 2.0**53]),
    ("double", "0.1", 0.1),
    ("int32", "[2147483647, -2147483648, 0]", [2**31 - 1, -(2**31), 0]),
    ("int8", "[300, -129, 127]", [44, 127, 127]),
    ("uint8", "[256, -1, 2147483647]", [0, 255, 255]),
    ("int16", "[65536, 32768]", [0, -32768]),
    ("uint32", "[4294967295, 0]", [2**32 - 1, 0]),
    ("int64", "[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
    ("int64", "[9007199254740993]", [2**53 + 1]),
    ("uint64", "[18446744073709551615, 0, 9223372036854775808]", [2**64 - 1, 0, 2**63]),
    ("uint64", "1", 1),
    ("bool", "[[true, false]]", [[True, False]]),
    ("bool", "true", True),
    ("string", '["a", "é", ""]', [b"a", "é".encode(), b""]),
    ("string", '"a"', b"a"),
    ("string", '{"b64": "aGVsbG8="}', b"hello"),
    ("string", '[{"b64": "AAECAA=="}, "a\\u0000"]', [b"\0\1\2\0", b"a\0"]),
    ("string", '[{"b64": ""}]', [b""]),
    ("string", '["1.5", "true", "null"]', [b"1.5", b"true", b"null"]),
]


@pytest.mark.parametrize(("label", "text", "expected"), ACCEPTED)
def test_accepts(label: str, text: str, expected: Any) -> None:
    dtype = DTYPES[f"DT_{label.upper()}"]
    with np.errstate(over="ignore"):
        if np.issubdtype(dtype, np.integer):
            expected = np.array(expected, dtype=object).astype(dtype, casting="unsafe")
        for note in ("", ',"note":"not numbers only"'):
            body = f'{{"inputs":{text}{note}}}'.encode()
            assert_array(decode(body, x=label)["x"], expected, dtype)


@pytest.mark.parametrize("label", ["float", "int8", "int32", "uint64", "bool", "string", "int64"])
@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 0), (2, 3, 0)])
def test_empty_lists_have_a_shape(label: str, shape: tuple[int, ...]) -> None:
    dtype = DTYPES[f"DT_{label.upper()}"]
    assert_array(decode({"inputs": np.empty(shape).tolist()}, x=label)["x"], np.empty(shape), dtype)


FLOAT_TRAPS = ['"1.5"', "null", "true", '{"b64":"YQ=="}', '"NaN"']
INTEGER_TRAPS = [
    "1.5",
    "1.0",
    "1e3",
    "NaN",
    "Infinity",
    '"1"',
    "null",
    "true",
    '{"b64":"MQ=="}',
    "1e300",
]
LEAF_TRAPS = (
    [("float", trap) for trap in FLOAT_TRAPS]
    + [("double", trap) for trap in FLOAT_TRAPS]
    + [(label, trap) for label in ("int8", "int32", "uint32", "int64") for trap in INTEGER_TRAPS]
    + [("uint64", trap) for trap in INTEGER_TRAPS]
    + [(label, "2147483648") for label in ("int8", "uint8", "int16", "int32")]
    + [(label, "-2147483649") for label in ("int8", "uint8", "int16", "int32")]
    + [("uint32", "-1"), ("uint32", "4294967296"), ("uint64", "-1")]
    + [("int64", "9223372036854775808"), ("int64", "-9223372036854775809")]
    + [("uint64", "18446744073709551616"), ("bool", "1"), ("bool", "0"), ("bool", '"true"')]
    + [("bool", "null"), ("string", "1"), ("string", "true"), ("string", "null")]
)


@pytest.mark.parametrize(("label", "trap"), LEAF_TRAPS)
@pytest.mark.parametrize("form", ["{trap}", "[{trap}]", "[{good},{trap}]", "[[{trap}],[{good}]]"])
def test_refuses_the_wrong_type(label: str, trap: str, form: str) -> None:
    good = {"bool": "true", "string": '"a"'}.get(label, "1")
    message = refusal(b'{"inputs":%b}' % form.format(trap=trap, good=good).encode(), x=label)
    expected = {"float": "float32", "double": "float64"}.get(label, label)
    assert f' is not of expected type: {label} (input "x": expected {expected}' in message
    assert message.startswith("JSON Value: ")
    assert " Type: " in message


@pytest.mark.parametrize("label", ["float", "double", "int32", "uint64", "bool"])
@pytest.mark.parametrize("leaf", ["{}", '{"b64":1}', '{"x":1}'])
def test_refuses_objects(label: str, leaf: str) -> None:
    good = "true" if label == "bool" else "1"
    message = refusal(f'{{"inputs":[[{good},{leaf}]]}}'.encode(), x=label)
    assert f"JSON Value: {leaf} Type: Object is not of expected type: {label}" in message


@pytest.mark.parametrize(
    ("label", "value", "text", "kind", "expected"),
    [
        ("float", "abc", '"abc"', "String", "float32"),
        ("float", None, "null", "Null", "float32"),
        ("double", False, "false", "False", "float64"),
        ("int8", 1.5, "1.5", "Number", "int8, whole numbers from -128 to 127"),
        ("uint32", -1, "-1", "Number", "uint32, whole numbers from 0 to 4294967295"),
        ("bool", {"a": 1}, '{"a":1}', "Object", "bool, true or false"),
        ("string", 1, "1", "Number", 'string, text or {"b64": "..."}'),
    ],
)
def test_the_message_names_value_input_and_expectation(
    label: str, value: Any, text: str, kind: str, expected: str
) -> None:
    # numpy calls float32 what TensorFlow calls float.
    assert refusal({"inputs": [value]}, x=label) == (
        f"JSON Value: {text} Type: {kind} is not of expected type: {label}"
        f' (input "x": expected {expected})'
    )


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ('{"b64":"a"}', "Unable to base64 decode"),
        ('{"b64":"aGVsbG8=x"}', "Unable to base64 decode"),
        ('{"b64":"_-8="}', "Unable to base64 decode"),
        ('{"b64":"é"}', "Unable to base64 decode"),
        ('{"b64":"a==="}', "Unable to base64 decode"),
        ('[{"b64":"YQ==","x":1}]', "not formatted correctly for base64 data"),
        ('[{"b64":1}]', "not formatted correctly for base64 data"),
        ("[{}]", "not formatted correctly for base64 data"),
    ],
)
def test_bad_base64(text: str, phrase: str) -> None:
    message = refusal(f'{{"inputs":{text}}}'.encode(), x="string")
    assert phrase in message
    assert 'input "x"' in message


@pytest.mark.parametrize("text", ["aGVsbG8", "aGVs\\nbG8=", " aGVsbG8= ", "aGVs bG8"])
def test_base64_as_lenient_as_tf_serving(text: str) -> None:
    assert decode(b'{"inputs":{"b64":"%b"}}' % text.encode(), x="string")["x"] == b"hello"


RAGGED = [
    ([[1, 2], [3]], "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ([[], [1]], "Encountered list at unexpected size: 1 at level: 1 expected size: 0"),
    ([1, [2]], "Encountered list at unexpected level: 1 expected < 1"),
    ([[1], 2], "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
    (
        [[[1]], [2]],
        "JSON Value: 2 found at incorrect level: 3 in the JSON DOM. Expected at level: 3",
    ),
    ([[[1]], [[2], [3]]], "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
    ([[], [[]]], "Encountered list at unexpected size: 1 at level: 1 expected size: 0"),
]


@pytest.mark.parametrize("label", ["float", "int64", "uint64", "uint8"])
@pytest.mark.parametrize(("value", "phrase"), RAGGED)
def test_ragged(label: str, value: Any, phrase: str) -> None:
    assert refusal({"inputs": value}, x=label).startswith(f'{phrase} (input "x": expected {label}')


@pytest.mark.parametrize(("label", "leaf"), [("string", '"a"'), ("bool", "true")])
def test_ragged_without_numbers(label: str, leaf: str) -> None:
    body = f'{{"inputs":[[{leaf},{leaf}],[{leaf}]]}}'.encode()
    assert "Encountered list at unexpected size: 1" in refusal(body, x=label)


@pytest.mark.parametrize("type_name", UNSUPPORTED)
@pytest.mark.parametrize("value", ["1.5", "[1]", "[]", '"a"'])
def test_unsupported_dtypes(type_name: str, value: str) -> None:
    label = type_name.removeprefix("DT_").lower()
    body = f'{{"inputs":{value}}}'.encode()
    message = refusal(body, Code.UNIMPLEMENTED, x=label)
    assert message.startswith(f'Conversion of JSON Value: {value} to type: {label} (input "x"')


@pytest.mark.parametrize(("label", "leaf"), [("float", "1"), ("string", '"a"'), ("bool", "true")])
@pytest.mark.parametrize("levels", [64, 65, 300, 900])
def test_nesting_ends_at_64_levels(label: str, leaf: str, levels: int) -> None:
    body = b'{"inputs":%b}' % (b"[" * levels + leaf.encode() + b"]" * levels)
    if levels == 64:
        assert decode(body, x=label)["x"].shape == (1,) * 64
    else:
        message = refusal(body, x=label)
        assert 'nested too deeply: more than 64 levels (input "x"' in message


def test_nesting_off_the_first_branch() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [2, deep]
    assert "found at incorrect level" in refusal({"inputs": [[1], *deep]}, x="float")
    assert "unexpected level" in refusal({"inputs": deep}, x="float")


def test_one_long_string_among_numbers_costs_no_memory() -> None:
    # numpy left to itself gives every number the room of the string: 80 GB.
    body = b'{"inputs":["%b"%b]}' % (b"a" * 1_000_000, b",1" * 20_000)
    for label in ("int32", "int64", "uint64", "float", "bool"):
        assert "is not of expected type" in refusal(body, x=label)
    assert len(refusal(body, x="int32")) < 500


def test_overflow_is_silent_in_any_thread_and_numpy_stays_as_it_was() -> None:
    before = np.geterr()
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(decode(b'{"inputs":[1e300]}', x="float")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result["x"].tolist() for result in results] == [[INFINITE]] * 4
    assert np.geterr() == before
