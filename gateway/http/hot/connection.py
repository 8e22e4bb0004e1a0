"""A client's connection as long as its requests are plain: bytes in, bytes out, flow control."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol, cast

from gateway.http.hot.head import END, Head, HeadReader, may_be_plain

MAX_BUFFERED_BYTES = 64 * 1024
"""Of a client that sends more requests than it takes answers, so much is read ahead."""
PATIENCE_TICKS = 2
"""A request that is still not there as a whole goes to aiohttp, which has timers for such."""


class Turn(Protocol):
    """The request that a connection is at; the same object for each one of the connection."""

    head: Head | None
    """That of the present request, if there is one."""

    running: bool
    """Whether that has its body and no answer."""

    def begin(self, head: Head) -> bool:
        """A request's head is there. False: it is the fallback's, and so is the connection."""

    def run(self, body: bytes) -> None:
        """The body of the request that began is there; ``send`` or ``hand_back`` follows."""

    def withdraw(self) -> None:
        """Forget a request that waits for its body: somebody else answers it."""

    def abandon(self) -> None:
        """The client is gone."""


class Owner(Protocol):
    """What a connection needs of its server."""

    heads: HeadReader
    idle_ticks: int
    """So long a connection may rest between requests."""

    def opened(self, connection: HotConnection) -> None: ...

    def closed(self, connection: HotConnection) -> None:
        """It ended, or aiohttp has it."""

    def make_request(self, connection: HotConnection) -> Turn:
        """What brings the connection's requests to their answers, one after the other."""

    def make_fallback(self) -> asyncio.Protocol:
        """aiohttp's protocol for a connection, or what leads to it."""


class HotConnection(asyncio.Protocol):
    """Answers plain requests, one at a time and in order; hands everything else to aiohttp."""

    __slots__ = (
        "_body_at",
        "_buffer",
        "_closing",
        "_last_head",
        "_last_head_bytes",
        "_missing",
        "_owner",
        "_pieces",
        "_reading",
        "_request",
        "_ticks",
        "_transport",
        "_writable",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._request = owner.make_request(self)
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        """Received and not used: requests that wait for their turn, the last one maybe in part."""
        self._pieces: list[bytes] = []
        """What follows the buffer while so much of a body is missing that it must not be copied
        with each segment."""
        self._missing = 0
        """Bytes of that body that have not arrived; else 0."""
        self._last_head: Head | None = None
        self._last_head_bytes = b""
        self._body_at = 0
        """Length of the last head: where in the buffer the body of a request that has begun is."""
        self._reading = True
        self._writable = True
        self._closing = False
        """No further request is begun here."""
        self._ticks = 0
        """Since the connection opened, began to receive a request, or was sent an answer."""

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        plain_socket = transport.get_extra_info("socket")
        if plain_socket is not None:
            plain_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._missing > 0:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            self._gather()
        elif self._buffer:
            self._buffer += data
        else:
            self._buffer = data
            self._ticks = 0
        if not self._request.running and self._writable:
            self._proceed()
        elif len(self._buffer) >= MAX_BUFFERED_BYTES:
            self._pause_reading()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._request.abandon()

    # What the server calls.

    def tick(self) -> None:
        """Called at a steady pace, for everything that is late."""
        if self._request.running or self._closing or not self._writable:
            return
        self._ticks += 1
        if self._buffer:
            if self._ticks >= PATIENCE_TICKS:
                self._hand_over()
        elif self._ticks >= self._owner.idle_ticks:
            self.shut()

    def shut(self) -> None:
        """Close once what has begun is answered; at once when nothing has."""
        self._closing = True
        if self._transport is not None and self._request.head is None:
            self._transport.close()

    def abort(self) -> None:
        """Close, whatever is unanswered or unsent."""
        if self._transport is not None:
            self._transport.abort()

    # What the request calls.

    def send(self, answer: bytes, close: bool) -> None:
        """The running request's answer, and whether the connection ends with it."""
        assert self._transport is not None, "a lost connection's request is abandoned"
        self._transport.write(answer)
        self._ticks = 0
        if close or self._closing:
            self._closing = True
            self._transport.close()
        elif self._buffer or not self._reading:
            # Not at once: a buffer full of requests would keep the loop from all others.
            asyncio.get_running_loop().call_soon(self._go_on)

    @property
    def head_bytes(self) -> bytes:
        """The head of the request that runs."""
        return self._last_head_bytes

    def hand_back(self, body: bytes) -> None:
        """Let the fallback answer the request that ran, and what follows it."""
        self._buffer = b"%b%b%b" % (self._last_head_bytes, body, self._buffer)
        self._hand_over()

    # Inside.

    def _proceed(self) -> None:
        """Begin or go on with the next request of the buffer; none is running."""
        request, buffer = self._request, self._buffer
        head = request.head
        if head is None:
            if self._closing or (head := self._next_head(buffer)) is None:
                return
            if not request.begin(head):
                self._hand_over()
                return
        stop = self._body_at + head.body_bytes
        received = len(buffer)
        if received < stop:
            if stop - received > MAX_BUFFERED_BYTES:
                self._missing = stop - received
            return
        if received > stop and not head.keep_alive:
            # Data behind a last request: aiohttp says what that is.
            self._hand_over()
            return
        self._buffer = buffer[stop:]
        request.run(buffer[self._body_at : stop])

    def _next_head(self, buffer: bytes) -> Head | None:
        """That of the request at the front of the buffer; None when it has not arrived, or was
        not plain and its connection is handed over."""
        if self._last_head is not None and buffer.startswith(self._last_head_bytes):
            # Most clients say the same again, but for the body.
            return self._last_head
        end = buffer.find(END) + len(END)
        if end < len(END):
            if not may_be_plain(buffer):
                self._hand_over()
            return None
        head_bytes = buffer[:end]
        head = self._owner.heads.read(head_bytes)
        if head is None:
            self._hand_over()
            return None
        self._last_head, self._last_head_bytes, self._body_at = head, head_bytes, end
        return head

    def _gather(self) -> None:
        """Put what has arrived together."""
        if self._pieces:
            self._buffer = b"".join((self._buffer, *self._pieces))
            self._pieces.clear()
        self._missing = 0

    def _go_on(self) -> None:
        """Look again at what waits, now that a request is over or the client has read."""
        if self._closing or self._request.running or not self._writable:
            return
        if self._buffer:
            self._proceed()
        self._read_on()

    def _read_on(self) -> None:
        """Read again if there is reason to."""
        if self._reading or self._closing or self._transport is None:
            return
        # A request that is not there as a whole may be longer than what is read ahead.
        if not self._request.running or len(self._buffer) <= MAX_BUFFERED_BYTES // 2:
            self._reading = True
            self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _hand_over(self) -> None:
        """Let aiohttp have the connection, as if everything since the last answer came now."""
        self._gather()
        transport, buffer = self._transport, self._buffer
        assert transport is not None, "connected"
        self._request.withdraw()
        self._forget()
        if not self._reading:
            transport.resume_reading()
        fallback = self._owner.make_fallback()
        transport.set_protocol(fallback)
        fallback.connection_made(transport)
        fallback.data_received(buffer)

    def _forget(self) -> None:
        """The connection is no more, or not here."""
        self._transport, self._buffer, self._closing = None, b"", True
        self._pieces.clear()
        self._owner.closed(self)
