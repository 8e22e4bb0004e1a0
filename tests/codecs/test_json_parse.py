"""Bodies to objects: what TF Serving reads is read, everything else is a clear 400."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import orjson
import pytest
from codec_helpers import PROPERTY
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.json_parse import parse_object
from gateway.codecs.json_tolerant import parse_tolerantly
from gateway.errors import Code, ServingError

INFINITE = float("inf")

READ = {
    "plain": (b'{"a": [1, 2.5, "x", true, null]}', {"a": [1, 2.5, "x", True, None]}),
    "white space around": (b' \r\n\t{"a":1}\n', {"a": 1}),
    "byte order mark": (b'\xef\xbb\xbf{"a":"\xc3\xa9"}', {"a": "é"}),
    "text after the object": (b'{"a":1}}garbage', {"a": 1}),
    "second document": (b'{"a":1}{"a":2}', {"a": 1}),
    "infinities": (
        b'{"a":[Infinity,-Infinity,Inf,-Inf]}',
        {"a": [INFINITE, -INFINITE, INFINITE, -INFINITE]},
    ),
    "Inf in a string": (b'{"a":["Inf \\" -NaN",Inf]}', {"a": ['Inf " -NaN', INFINITE]}),
    "first key wins": (b'{"instances":[1],"instances":[2]}', {"instances": [1]}),
    "first signature wins": (
        b'{"signature_name":"a","inputs":1,"signature_name":"b"}',
        {"signature_name": "a", "inputs": 1},
    ),
    "key repeated inside, in the tolerant parser": (b'{"a":{"b":1,"b":2}}x', {"a": {"b": 1}}),
    "input named like its key": (b'{"inputs":{"inputs":[1]}}', {"inputs": {"inputs": [1]}}),
    "key as a string": (b'{"inputs":["inputs"]}', {"inputs": ["inputs"]}),
    "largest integers": (
        b'{"a":[18446744073709551615,-9223372036854775808]}',
        {"a": [2**64 - 1, -(2**63)]},
    ),
    "integers beyond 64 bits": (
        b'{"a":[18446744073709551616,-9223372036854775809]}',
        {"a": [2.0**64, -(2.0**63)]},
    ),
    "tiny": (b'{"a":1e-400}', {"a": 0.0}),
    "surrogate pair": (b'{"a":"\\ud83d\\ude00"}x', {"a": "😀"}),
    "escaped backslash before u": (b'{"a":"\\\\ud800"}x', {"a": "\\ud800"}),
}


@pytest.mark.parametrize(("body", "expected"), READ.values(), ids=READ.keys())
def test_reads(body: bytes, expected: dict[str, Any]) -> None:
    assert parse_object(body) == expected
    assert repr(parse_tolerantly(body)) == repr(expected)


@pytest.mark.parametrize("token", ["NaN", "-NaN"])
def test_reads_nan(token: str) -> None:
    assert math.isnan(parse_object(b'{"a":%b}' % token.encode())["a"])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("text", [b'{"inputs":1}', b'{"inputs":NaN}', b'{"inputs":1,"inputs":2}'])
def test_takes_any_buffer(kind: Any, text: bytes) -> None:
    assert parse_object(kind(text)).keys() == {"inputs"}


REFUSED = {
    "empty": (b"", "JSON Parse error: The document is empty"),
    "white space": (b" \n ", "JSON Parse error: The document is empty. at offset: 3"),
    "no JSON": (b"hello", "JSON Parse error: Invalid value. at offset: 0"),
    "cut off": (b'{"a": [1, 2', "JSON Parse error: Invalid value. at offset: 11"),
    "missing comma": (b'{"a": 1 2}', "JSON Parse error: Invalid value. at offset: 8"),
    "offset counts bytes": (
        b'{"\xc3\xa9": x}',
        "JSON Parse error: Invalid value. at offset: 7",
    ),
    "offset after a byte order mark": (
        b"\xef\xbb\xbf{x",
        "JSON Parse error: Invalid value. at offset: 4",
    ),
    "offset after short constants": (
        b'{"a":[-Inf,Inf],"b":[Inf, x]}',
        "JSON Parse error: Invalid value. at offset: 26",
    ),
    "offset between short constants": (
        b'{"a":[Inf,Inf,x,Inf,Inf]}',
        "JSON Parse error: Invalid value. at offset: 14",
    ),
    "deep array": (b"[" * 900 + b"]" * 900, "[[[... Type: Array Is not object"),
    "NaN in small letters": (b'{"a":nan}', "JSON Parse error: Invalid value. at offset: 5"),
    "longer than Inf": (b'{"a":Infi}', "JSON Parse error: Invalid value. at offset: 8"),
    "comma at the end": (b'{"a":[1,]}', "JSON Parse error: Invalid value."),
    "fraction without digits": (b'{"a":1.}', "JSON Parse error: Invalid value. at offset: 6"),
    "control character in a string": (b'{"a":"\x01"}', "JSON Parse error: Invalid value."),
    "string without end": (b'{"a":"b', "JSON Parse error: Invalid value. at offset: 5"),
    "not UTF-8": (
        b'{"a":"\xff"}',
        "JSON Parse error: Invalid encoding in string. at offset: 6",
    ),
    "half a surrogate pair": (b'{"a":"\\ud800"}', "The surrogate pair in string is invalid."),
    "beyond double": (b'{"a":1e400}', "Number too big to be stored in double."),
    "beyond double, below zero": (b'{"a":-1e400}', "Number too big to be stored in double."),
    "5000 digits": (b'{"a":%b}' % (b"9" * 5000), "Number too big to be stored in double."),
    "array": (b"[1,2]", "JSON Value: [1,2] Type: Array Is not object"),
    "string": (b'"a"', 'JSON Value: "a" Type: String Is not object'),
    "number": (b"1.5", "JSON Value: 1.5 Type: Number Is not object"),
    "constant": (b"NaN", "JSON Value: NaN Type: Number Is not object"),
    "true": (b"true", "JSON Value: true Type: True Is not object"),
    "false": (b"false", "JSON Value: false Type: False Is not object"),
    "null": (b"null", "JSON Value: null Type: Null Is not object"),
}


@pytest.mark.parametrize(("body", "phrase"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(body: bytes, phrase: str) -> None:
    with pytest.raises(ServingError) as caught:
        parse_object(body)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert phrase in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' + b"[" * 200_000,
        b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 200_000,
        b'{"a":"\\ud83d\\ude00","b":' + b"[" * 200_000 + b"]" * 200_000 + b"}x",
    ],
    ids=["open", "closed", "objects", "with a surrogate pair"],
)
def test_deep_nesting_is_refused(body: bytes) -> None:
    with pytest.raises(ServingError, match="JSON Parse error"):
        parse_object(body)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(ServingError) as caught:
        parse_object(json.dumps(["é" * 10_000]).encode())
    quoted = caught.value.message.removeprefix("JSON Value: ").split("...")[0]
    assert 250 < len(quoted.encode()) <= 256


leaves = (
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.integers(-(2**63), 2**64 - 1)
    | st.text()
)
objects = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6
    ),
)


@PROPERTY
@given(objects, st.booleans())
def test_agrees_with_the_standard_parser(document: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert parse_object(body) == parse_tolerantly(body) == json.loads(body)


@PROPERTY
@given(objects)
def test_both_parsers_give_the_same_types(document: dict[str, Any]) -> None:
    body = orjson.dumps(document)
    assert repr(parse_tolerantly(body)) == repr(orjson.loads(body))


@PROPERTY
@given(objects, st.binary())
def test_ignores_what_follows(document: dict[str, Any], rest: bytes) -> None:
    body = json.dumps(document).encode()
    try:
        rest.decode()
    except UnicodeDecodeError:
        with pytest.raises(ServingError):
            parse_object(body + rest)
    else:
        assert parse_object(body + rest) == parse_object(body)


PIECES = rb"""{ } [ ] , : " \ \u d800 Inf - NaN inity 1 0 . e "inputs" true"""
pieces = st.sampled_from([*PIECES.split(), b"9" * 30, b" ", b"\n", b"\0", b"\xff", b"\xef\xbb\xbf"])


@PROPERTY
@given(st.binary() | st.lists(pieces).map(b"".join))
def test_any_bytes_give_an_object_or_a_refusal(body: bytes) -> None:
    for text in (body, b'{"a":' + body, b'{"inputs":' + body + b"}"):
        with contextlib.suppress(ServingError):
            assert type(parse_object(text)) is dict
