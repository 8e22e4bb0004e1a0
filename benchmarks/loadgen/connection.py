"""A client's HTTP/1.1 connection, made to cost as little as possible beside the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

OnAnswer = Callable[["Connection", int, bytes], None]
"""Called with the connection, the status and the body; the connection is free again."""
OnLost = Callable[["Connection", str], None]
"""Called once with the connection and the reason when no request can be sent on it any more."""

MAX_HEAD_BYTES = 64 * 1024
_LENGTH = b"\r\ncontent-length:"


class BadAnswer(Exception):
    """The server sent what this client does not take for an HTTP answer with a length."""


class Connection(asyncio.Protocol):
    """Keep-alive, one request in flight.

    ``since`` and ``sample`` are the caller's, who sets them when it sends. Answers need a
    Content-Length; chunked ones are refused, and the connection with them.
    """

    __slots__ = (
        "_answered",
        "_buffer",
        "_lost",
        "_needed",
        "_transport",
        "head",
        "in_flight",
        "sample",
        "since",
    )

    def __init__(self, answered: OnAnswer, lost: OnLost) -> None:
        self.since = 0.0
        self.sample = 0
        self.in_flight = False
        self.head = b""
        """Of the last answer whose status was not 200."""
        self._answered = answered
        self._lost: OnLost | None = lost
        self._buffer = b""
        self._needed = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> None:
        """Send a whole request. The previous one must have been answered."""
        assert self._transport is not None, "connected"
        self.in_flight = True
        self._transport.write(request)

    def close(self) -> None:
        """Close without a word to ``lost``."""
        self._lost = None
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        # A large body comes in many pieces: the head is looked at once.
        if len(data) < self._needed:
            self._buffer = data
            return
        try:
            self._receive(data)
        except BadAnswer as error:
            self._give_up(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        self._give_up(f"connection lost: {error}" if error else "connection closed by the server")

    def _receive(self, data: bytes) -> None:
        head = data.find(b"\r\n\r\n")
        if head < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise BadAnswer("an endless head")
            self._buffer = data
            return
        body = head + 4
        end = body + _content_length(data[: head + 2])
        if len(data) < end:
            self._buffer, self._needed = data, end
            return
        if len(data) > end or not self.in_flight:
            raise BadAnswer("more bytes than one answer")
        status = _status(data)
        if status != 200:
            self.head = data[: head + 2]
        self._buffer, self._needed, self.in_flight = b"", 0, False
        self._answered(self, status, data[body:end])

    def _give_up(self, reason: str) -> None:
        lost, self._lost = self._lost, None
        if self._transport is not None:
            self._transport.abort()
        if lost is not None:
            lost(self, reason)


def _status(data: bytes) -> int:
    if not (data.startswith(b"HTTP/1.1 ") and data[9:12].isdigit()):
        raise BadAnswer(f"no HTTP/1.1 status line: {data[:20]!r}")
    return int(data[9:12])


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(_LENGTH)
    value = lowered[start + len(_LENGTH) : lowered.find(b"\r\n", start + 2)].strip()
    if start < 0 or not value.isdigit():
        raise BadAnswer("an answer without Content-Length")
    return int(value)
