"""Requests that a front does not read, and their answers, as the bytes of HTTP that they are."""

from __future__ import annotations

import struct
from typing import NamedTuple

from gateway.hop.frames import BrokenFrame, Buffer, Kind, frame

_REQUEST = struct.Struct("<QI")
"""Number of the request, length of its head."""
_ANSWER = struct.Struct("<Q?")
"""Number of the request, whether its connection ends."""


class PassedRequest(NamedTuple):
    """One request."""

    number: int
    head: bytes
    """Up to and with the empty line."""
    body: bytes


def passed_frame(number: int, head: bytes, body: bytes) -> list[Buffer]:
    """A request. Raises ValueError when it is too long."""
    return frame(Kind.PASSED, [_REQUEST.pack(number, len(head)), head, body])


def read_passed(payload: Buffer) -> PassedRequest:
    """Of a ``passed_frame``. Raises BrokenFrame."""
    if len(payload) < _REQUEST.size:
        raise BrokenFrame("a request is cut")
    number, size = _REQUEST.unpack_from(payload, 0)
    body_at = _REQUEST.size + size
    if body_at > len(payload):
        raise BrokenFrame("a request's head is cut")
    return PassedRequest(number, bytes(payload[_REQUEST.size : body_at]), bytes(payload[body_at:]))


def answer_frame(number: int, answer: bytes, close: bool) -> list[Buffer]:
    """An answer, with its head. Raises ValueError when it is too long."""
    return frame(Kind.ANSWER, [_ANSWER.pack(number, close), answer])


def read_answer(payload: Buffer) -> tuple[int, bytes, bool]:
    """Of an ``answer_frame``: number, answer, and whether the connection ends. Raises
    BrokenFrame."""
    if len(payload) < _ANSWER.size:
        raise BrokenFrame("an answer is cut")
    number, close = _ANSWER.unpack_from(payload, 0)
    return number, bytes(payload[_ANSWER.size :]), close
