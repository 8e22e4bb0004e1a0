"""Refuses messages that would take far more memory than bytes, before protobuf reads them.

A field of two bytes becomes a message of about a hundred. Honest requests of any size have few
fields: their data are a few long ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.errors import ServingError, invalid_argument
from gateway.oip.messages import MAX_TENSORS
from gateway.protos.triton.grpc_service_pb2 import ModelInferRequest

FREE_BYTES = 64 * 1024
"""A message this small cannot claim much, whatever is in it."""
MAX_FIELDS = 16 * MAX_TENSORS
"""Of a request, together with those of its tensors; a shape or a tensor's values are one field."""

_TENSORS = (ModelInferRequest.INPUTS_FIELD_NUMBER, ModelInferRequest.OUTPUTS_FIELD_NUMBER)
_VARINT, _LENGTH_DELIMITED = 0, 2
_FIXED_SIZES = {1: 8, 5: 4, 3: 0, 4: 0}
"""Bytes by wire type. Of the old groups (3, 4) both ends count as fields, and what is between."""
_MAX_SHIFT = 63


def check_fields(data: bytes) -> None:
    """Raise ServingError (INVALID_ARGUMENT) when ``data``, a ModelInferRequest, has too many
    fields. What is no message at all passes: the parser has the word on that."""
    if len(data) <= FREE_BYTES:
        return
    count = 0
    for number, start, end in _fields(data, 0, len(data)):
        count += 1
        if number in _TENSORS:
            for _ in _fields(data, start, end):
                count += 1
                _check(count)
        _check(count)


def _check(count: int) -> None:
    if count > MAX_FIELDS:
        raise _too_many()


def _too_many() -> ServingError:
    return invalid_argument(f"the request has more than {MAX_FIELDS} fields")


def _fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each field's content. Stops at what is no field."""
    while position < end:
        tag, position = _varint(data, position, end)
        kind, length = tag & 7, 0
        if kind == _LENGTH_DELIMITED:
            length, position = _varint(data, position, end)
        elif kind == _VARINT:
            _, after = _varint(data, position, end)
            length = after - position
        elif kind in _FIXED_SIZES:
            length = _FIXED_SIZES[kind]
        else:
            return
        if position + length > end:
            return
        yield tag >> 3, position, position + length
        position += length


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The number at ``position``, and where it ends: past ``end`` when it is broken off."""
    number = shift = 0
    while position < end and shift <= _MAX_SHIFT:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
    return 0, end + 1
