"""The outermost layer of serialized protobuf messages, without parsing what lies within."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types (protobuf encoding)."""


class Field(NamedTuple):
    """Where one field of a message lies, as offsets into the serialized bytes."""

    number: int
    start: int
    """Of its tag."""
    value: int
    """Of its content."""
    end: int


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message that is ``data[start:end]``, in the order in which they lie there.

    Raises ValueError for what is no message, or has groups.
    """
    position = start
    while position < end:
        tag, value = varint(data, position)
        wire_type = tag & 7
        if wire_type == _VARINT:
            _, after = varint(data, value)
        elif wire_type == _BYTES:
            length, value = varint(data, value)
            after = value + length
        elif wire_type in (_FIXED64, _FIXED32):
            after = value + (8 if wire_type == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {wire_type}")
        if after > end:
            raise ValueError("a field is cut short")
        yield Field(tag >> 3, position, value, after)
        position = after


def bytes_header(number: int, length: int) -> bytes:
    """What stands before ``length`` bytes of content of the field ``number``."""
    return _encoded(number << 3 | _BYTES) + _encoded(length)


def _encoded(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at ``position`` and where it ends."""
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise ValueError("a number is cut short")
