"""Entries as JSON lines."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, ServingError, invalid_argument
from gateway.exchange import Exchange
from gateway.request_log.entry import Entry
from gateway.request_log.json_lines import json_line
from tests.gateway.exchanges import exchange, signature

NOON = 1_767_225_600.25


def line(logged: Exchange, time: float = NOON) -> Any:
    """The one line, read by a parser that knows no NaN."""
    text = json_line(Entry.of(logged, time, 1.0, arrays=False))
    assert text.endswith(b"\n")
    assert len(text.splitlines()) == 1
    return json.loads(text, parse_constant=pytest.fail)


def test_an_answered_request() -> None:
    assert line(exchange(of=signature("other"))) == {
        "time": "2026-01-01T00:00:00.250000+00:00",
        "model": "m",
        "version": 3,
        "signature": "other",
        "api": "predict",
        "status": "OK",
        "seconds": 0.25,
        "request": {"instances": [1.0]},
        "response": {"predictions": [2.0]},
    }


def test_whole_seconds_have_microseconds_too() -> None:
    assert line(exchange(), time=0.0)["time"] == "1970-01-01T00:00:00.000000+00:00"


@pytest.mark.parametrize("code", [Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED])
def test_a_failed_request(code: Code) -> None:
    logged = line(exchange(error=ServingError(code, "why\nnot")))
    assert logged["status"] == code.name
    assert logged["response"] == {"error": "why\nnot"}
    assert logged["request"] == {"instances": [1.0]}


def test_an_error_that_quotes_a_lone_surrogate() -> None:
    assert line(exchange(error=invalid_argument("no \ud800")))["response"] == {"error": "no ?"}


def test_a_body_keeps_its_numbers_and_repeated_keys() -> None:
    body = b'{"x":1.10,\r\n "x":123456789012345678901234567890}'
    text = json_line(Entry.of(exchange(request=body), NOON, 1.0, arrays=False))
    assert b'{"x":1.10,   "x":123456789012345678901234567890}' in text


@pytest.mark.parametrize(
    "body", [b'{"instances":[NaN]}', b'{"instances":[1.0]}\nand more', b'"\\ud800"', b""]
)
def test_a_body_that_is_not_strictly_json_is_text(body: bytes) -> None:
    assert line(exchange(request=body))["request"] == body.decode()


def test_an_answer_with_infinity_is_text() -> None:
    body = b'{"predictions":[Infinity]}'
    assert line(exchange(response=body))["response"] == body.decode()


@given(st.binary() | st.text().map(str.encode))
def test_any_body_can_be_told_from_its_line(body: bytes) -> None:
    match line(exchange(request=body, response=body))["request"]:
        case str(text) if not body.startswith(b'"'):
            assert text.encode() == body
        case {"b64": str(coded)}:
            assert base64.b64decode(coded) == body
        case value:
            assert value == json.loads(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


@given(_json, st.sampled_from([None, 2]))
def test_json_stays_json(value: Any, indent: int | None) -> None:
    body = json.dumps({"inputs": value}, indent=indent).encode()
    logged = line(exchange(request=body, response=body))
    assert logged["request"] == logged["response"] == {"inputs": value}
