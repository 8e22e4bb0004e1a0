"""§4, parsing and input rules: which JSON becomes which tensor, shown by models that echo it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.conformance.server import Server

pytestmark = pytest.mark.tf


def typed(dtype: str, value: str) -> bytes:
    """Column form for the signature of a dtype; ``value`` is JSON text."""
    return f'{{"signature_name":"{dtype}","inputs":{value}}}'.encode()


INFINITY = float("inf")


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        pytest.param(b'{"instances":[1]}  trailing {text', [2.5], id="text after the value"),
        pytest.param(b'\xef\xbb\xbf{"instances":[1]}', [2.5], id="byte order mark"),
        pytest.param(b'{"instances":[1],"instances":[2]}', [2.5], id="first of duplicate keys"),
        pytest.param(b'{"other":[0],"instances":[1]}', [2.5], id="unknown keys are ignored"),
        pytest.param(
            b'{"instances":[NaN,Infinity,-Infinity,Inf,-Inf]}',
            [pytest.approx(float("nan"), nan_ok=True), INFINITY, -INFINITY, INFINITY, -INFINITY],
            id="NaN, Infinity, Inf",
        ),
        pytest.param(b'{"signature_name":"","instances":[1]}', [2.5], id="empty signature_name"),
        pytest.param(
            b'{"signature_name":"serving_default","instances":[1]}', [2.5], id="signature_name"
        ),
    ],
)
def test_parsing(server: Server, body: bytes, answer: list[Any]) -> None:
    assert server.predict("half", body).json == {"predictions": answer}


@pytest.mark.parametrize("depth", [65, 2_000, 500_000])
def test_deep_nesting_is_safe(server: Server, depth: int) -> None:
    answer = server.predict("dtypes", typed("float32", "[" * depth + "]" * depth))
    assert answer.status == 400
    assert "nested too deeply" in answer.error


FLOATS = [
    pytest.param("1.5", 1.5, id="number"),
    pytest.param("2", 2.0, id="whole number"),
    pytest.param("1e-2", 0.01, id="exponent"),
    pytest.param("1e300", INFINITY, id="too large is infinite"),
    pytest.param("-1e300", -INFINITY, id="too small is minus infinite"),
    pytest.param("1e-300", 0.0, id="tiny is 0"),
]


@pytest.mark.parametrize(("text", "value"), FLOATS)
def test_float32(server: Server, text: str, value: float) -> None:
    assert server.predict("dtypes", typed("float32", text)).json == {
        "outputs": pytest.approx(value)
    }


def test_float64_keeps_every_digit(server: Server) -> None:
    values = [0.1, 1e300, 1e-300, 1 / 3, 123456789.123456789]
    answer = server.predict("dtypes", typed("float64", str(values)))
    assert answer.json == {"outputs": values}


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        pytest.param("int8", "-128", -128, id="int8"),
        pytest.param("int8", "300", 44, id="int8 wraps"),
        pytest.param("uint8", "255", 255, id="uint8"),
        pytest.param("uint8", "-1", 255, id="uint8 wraps"),
        pytest.param("int16", "70000", 4464, id="int16 wraps"),
        pytest.param("int32", "-2147483648", -(2**31), id="int32"),
        pytest.param("uint32", "4294967295", 2**32 - 1, id="uint32"),
        pytest.param("int64", "-9223372036854775808", -(2**63), id="int64, least"),
        pytest.param("int64", "9007199254740993", 2**53 + 1, id="int64 beyond 2^53"),
        pytest.param("uint64", "18446744073709551615", 2**64 - 1, id="uint64"),
        pytest.param("bool", "true", True, id="bool"),
        pytest.param("bool", "[[false],[true]]", [[False], [True]], id="bool, shape from JSON"),
    ],
)
def test_whole_numbers_and_bool(server: Server, dtype: str, text: str, value: Any) -> None:
    answer = server.predict("dtypes", typed(dtype, text))
    assert answer.json == {"outputs": value}
    assert answer.body == b'{"outputs":%s}' % str(value).lower().replace(" ", "").encode()


@pytest.mark.parametrize(
    ("dtype", "text", "shown", "expected"),
    [
        pytest.param("float32", "true", "true Type: True", "float", id="float: no bool"),
        pytest.param("float32", '"1"', '"1" Type: String', "float", id="float: no string"),
        pytest.param("float32", "null", "null Type: Null", "float", id="float: no null"),
        pytest.param("float64", "false", "false Type: False", "double", id="double: no bool"),
        pytest.param("int32", "1.5", "1.5 Type: Number", "int32", id="int: no fraction"),
        pytest.param("int32", "1.0", "1.0 Type: Number", "int32", id="int: no whole fraction"),
        pytest.param("int64", "1e2", "100.0 Type: Number", "int64", id="int: no exponent"),
        pytest.param("int8", "2147483648", "2147483648 Type: Number", "int8", id="beyond int32"),
        pytest.param("int32", "2147483648", "2147483648 Type: Number", "int32", id="int32 range"),
        pytest.param("uint32", "-1", "-1 Type: Number", "uint32", id="uint32 range"),
        pytest.param(
            "int64", "9223372036854775808", "9223372036854775808 Type: Number", "int64", id="int64"
        ),
        pytest.param("uint64", "-1", "-1 Type: Number", "uint64", id="uint64 range"),
        pytest.param("bool", "1", "1 Type: Number", "bool", id="bool: no number"),
        pytest.param("bool", '"true"', '"true" Type: String', "bool", id="bool: no string"),
    ],
)
def test_values_of_the_wrong_type(
    server: Server, dtype: str, text: str, shown: str, expected: str
) -> None:
    phrase = f"JSON Value: {shown} is not of expected type: {expected}"
    column = server.predict("dtypes", typed(dtype, text))
    assert (column.status, column.error.startswith(phrase)) == (400, True), column.error
    row = server.predict("dtypes", typed(dtype, f"[{text}]").replace(b"inputs", b"instances"))
    wrapped = "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
    assert (row.status, row.error.startswith(wrapped + phrase)) == (400, True), row.error


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint16", "complex64", "complex128"])
def test_dtypes_without_json(server: Server, dtype: str) -> None:
    column = server.predict("dtypes", typed(dtype, "[1]"))
    assert column.status == 501
    assert column.error.startswith("Conversion of JSON Value: [1] to type: ")
    row = server.predict("dtypes", typed(dtype, "[1]").replace(b"inputs", b"instances"))
    assert row.status == 400
    assert "Error: UNIMPLEMENTED: Conversion of JSON Value: 1 to type: " in row.error


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        pytest.param("zoë", "zoë", id="UTF-8 text"),
        pytest.param("", "", id="empty text"),
        pytest.param("a\x00b", "a\x00b", id="text with a zero byte"),
        pytest.param(b64(b"plain"), "plain", id="b64"),
        pytest.param(b64(b"\xff\x00"), b64(b"\xff\x00"), id="b64 of no UTF-8"),
        pytest.param([["a", b64(b"b")]], [["a", "b"]], id="both, of any rank"),
    ],
)
def test_strings(server: Server, value: Any, answer: Any) -> None:
    assert server.predict("strings", {"inputs": value}).json == {"outputs": answer}
    assert server.predict("strings", {"inputs": {"text": value}}).json == {"outputs": answer}
    assert server.predict("strings", {"instances": [value]}).json == {"predictions": [answer]}


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        pytest.param(1, "JSON Value: 1 Type: Number is not of expected type: string", id="number"),
        pytest.param(
            [{"b64": 1}], 'JSON Value: {"b64":1} not formatted correctly for base64 data', id="b64"
        ),
        pytest.param(
            [{"b64": "YQ==", "x": 1}], "not formatted correctly for base64 data", id="another key"
        ),
        pytest.param({"b64": "*"}, "Unable to base64 decode", id="no base64"),
    ],
)
def test_what_is_no_string(server: Server, value: Any, phrase: str) -> None:
    answer = server.predict("strings", {"inputs": value})
    assert (answer.status, phrase in answer.error) == (400, True), answer.error


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        pytest.param({"inputs": [1]}, {"outputs": [2.5]}, id="[3] for [-1,1]"),
        pytest.param({"inputs": [[1, 2], [3, 4]]}, {"outputs": [[2.5, 3], [3.5, 4]]}, id="[2,2]"),
        pytest.param({"inputs": 1}, {"outputs": 2.5}, id="a scalar"),
        pytest.param({"instances": [1, 2]}, {"predictions": [2.5, 3]}, id="rows of scalars"),
    ],
)
def test_the_declared_shape_is_not_enforced(server: Server, body: Any, answer: Any) -> None:
    assert server.predict("column", body).json == answer
