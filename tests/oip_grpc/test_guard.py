"""Messages of many small fields are refused before they are parsed."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.varints import varint
from gateway.errors import Code, ServingError
from gateway.grpc import oip_guard
from gateway.grpc.oip_guard import MAX_FIELDS, check_fields
from gateway.grpc.oip_requests import parse_infer
from gateway.protos.triton.grpc_service_pb2 import ModelInferRequest

MANY = 10**6
EMPTY_INPUT, EMPTY_OUTPUT, EMPTY_RAW = b"\x2a\x00", b"\x32\x00", b"\x3a\x00"
EMPTY_PARAMETER = b"\x22\x00"
GROUP = b"\x7b", b"\x7c"
"""The ends of a group of the old kind with an unknown number."""


def inside(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content


@pytest.mark.parametrize(
    "wire",
    [
        EMPTY_INPUT * MANY,
        EMPTY_OUTPUT * MANY,
        EMPTY_RAW * MANY,
        EMPTY_PARAMETER * MANY,
        inside(b"\x2a", EMPTY_PARAMETER * MANY),
        inside(b"\x32", b"\x12\x00" * MANY),
        GROUP[0] + EMPTY_INPUT * MANY + GROUP[1],
        GROUP[0] + GROUP[1] + EMPTY_INPUT * MANY,
        b"\x79" + b"12345678" + b"\x7d" + b"1234" + b"\x78\xff\x01" + EMPTY_INPUT * MANY,
    ],
    ids=[
        *("inputs", "outputs", "raw", "parameters", "input", "output"),
        *("in a group", "behind a group", "behind unknown fields"),
    ],
)
def test_many_fields_are_refused(wire: bytes) -> None:
    with pytest.raises(ServingError, match=f"more than {MAX_FIELDS} fields") as caught:
        parse_infer(wire)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_many_values_are_few_fields() -> None:
    message = ModelInferRequest(raw_input_contents=[bytes(10**6)])
    contents = message.inputs.add(shape=[MANY]).contents
    contents.fp32_contents.extend([1.0] * MANY)
    message.inputs.add().contents.bytes_contents.extend([b""] * MANY)

    assert parse_infer(message.SerializeToString()) == message


def test_a_message_with_as_many_fields_as_allowed_passes() -> None:
    padding = ModelInferRequest(id="x" * oip_guard.FREE_BYTES).SerializeToString()
    check_fields(padding + EMPTY_INPUT * (MAX_FIELDS - 1))

    with pytest.raises(ServingError):
        check_fields(padding + EMPTY_INPUT * MAX_FIELDS)


@given(st.binary(max_size=200))
def test_what_it_cannot_follow_the_parser_refuses(data: bytes) -> None:
    """Else a message could hide its fields behind what only the guard stops at."""
    fields = list(oip_guard._fields(data, 0, len(data)))
    end = fields[-1][2] if fields else 0
    if end != len(data):
        with pytest.raises(DecodeError):
            ModelInferRequest.FromString(data)
