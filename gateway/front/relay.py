"""Connections that are passed on, byte for byte, to the engine's own HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.hop.sockets import connect

WAIT_FOR_BAD_NEWS_SECONDS = 0.05
"""An engine that died closes all its connections, and this one's end may be noticed first."""


class Relays:
    """Makes the protocols of relayed connections and knows those that are open."""

    def __init__(
        self,
        engine_path: Callable[[], str],
        engine_is_there: Callable[[], bool],
        refusal: Callable[[], bytes],
    ) -> None:
        """``engine_path``: the Unix socket of its HTTP server. ``refusal``: the answer of a server
        without an engine, after which the connection is closed."""
        self.engine_path = engine_path
        self.engine_is_there = engine_is_there
        self.refusal = refusal
        self._relays: set[Relay] = set()
        self._all_closed = asyncio.Event()

    def __call__(self) -> asyncio.Protocol:
        return Relay(self)

    @property
    def connections(self) -> Sequence[object]:
        return list(self._relays)

    def pre_shutdown(self) -> None:
        """Nothing: which connections are idle is known to the engine, which closes them."""

    async def shutdown(self, seconds: float, /) -> None:
        """Wait until the engine has closed all connections; cut what is left after so many
        seconds."""
        self._all_closed.clear()
        if self._relays:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._all_closed.wait()
        for relay in list(self._relays):
            relay.abort()

    # What relays call.

    def opened(self, relay: Relay) -> None:
        self._relays.add(relay)

    def closed(self, relay: Relay) -> None:
        self._relays.discard(relay)
        if not self._relays:
            self._all_closed.set()


class Relay(asyncio.Protocol):
    """The client's side. What one side does not read, the other is not asked for."""

    def __init__(self, owner: Relays) -> None:
        self._owner = owner
        self._client: asyncio.Transport | None = None
        self._engine: asyncio.Transport | None = None
        self._early: list[bytes] = []
        """What came before there was a connection to the engine."""
        self._half_closed = False
        """The client sends no more."""
        self._connecting: asyncio.Task[None] | None = None
        self._answers = _AnswerBounds()
        self._asked = False
        """Something was sent to the engine since something came from it."""

    # The client's transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast("asyncio.Transport", transport)
        self._client.pause_reading()
        self._owner.opened(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        self._asked = True
        if self._engine is None:
            self._early.append(data)
        else:
            self._engine.write(data)

    def eof_received(self) -> bool:
        self._half_closed = True
        if self._engine is not None and self._engine.can_write_eof():
            self._engine.write_eof()
        # TLS knows no half of a connection.
        return self._client is not None and self._client.can_write_eof()

    def pause_writing(self) -> None:
        if self._engine is not None:
            self._engine.pause_reading()

    def resume_writing(self) -> None:
        if self._engine is not None:
            self._engine.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client = None
        self._owner.closed(self)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._engine is not None:
            self._engine.abort()

    # The server and the engine's side call.

    def abort(self) -> None:
        """Close, whatever is on its way."""
        if self._client is not None:
            self._client.abort()

    def from_engine(self, data: bytes) -> None:
        if self._client is not None:
            self._asked = False
            self._answers.feed(data)
            self._client.write(data)

    def engine_reads(self, ready: bool) -> None:
        """Whether the engine takes more."""
        if self._client is None or self._client.is_closing():
            return
        if ready:
            self._client.resume_reading()
        else:
            self._client.pause_reading()

    def engine_lost(self) -> None:
        """The engine has closed the connection, or is gone."""
        self._engine = None
        if self._client is None:
            return
        if self._is_owed_an_answer() and self._owner.engine_is_there():
            asyncio.get_running_loop().call_later(WAIT_FOR_BAD_NEWS_SECONDS, self._finish)
        else:
            self._finish()

    # Inside.

    async def _connect(self) -> None:
        try:
            transport, _ = await connect(lambda: _EngineSide(self), self._owner.engine_path())
        except OSError:
            self._finish(gone=True)
            return
        finally:
            self._connecting = None
        self._engine = transport
        if self._client is None:
            transport.abort()
            return
        transport.writelines(self._early)
        self._early.clear()
        if self._half_closed:
            transport.write_eof()
        elif transport.get_write_buffer_size() == 0:
            # Else the engine's side says when.
            self._client.resume_reading()

    def _is_owed_an_answer(self) -> bool:
        return self._asked and self._answers.between

    def _finish(self, *, gone: bool = False) -> None:
        """The end, with an apology if the client waits for an answer that never began because the
        engine is gone."""
        if self._client is None:
            return
        if self._is_owed_an_answer() and (gone or not self._owner.engine_is_there()):
            self._client.write(self._owner.refusal())
        self._client.close()


class _EngineSide(asyncio.Protocol):
    """The other end of a relay."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def data_received(self, data: bytes) -> None:
        self._relay.from_engine(data)

    def pause_writing(self) -> None:
        self._relay.engine_reads(False)

    def resume_writing(self) -> None:
        self._relay.engine_reads(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.engine_lost()


class _AnswerBounds:
    """Where the engine's answers begin and end, so that nothing is ever written into one."""

    def __init__(self) -> None:
        self.between = True
        """No answer is under way, and the last one did not end the connection. Errs to False: an
        answer to HEAD, which lacks its body, seems to go on."""
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._parser, self.between = None, False

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self.between = False

    def on_message_complete(self) -> None:
        if self._parser is not None:
            self.between = self._parser.should_keep_alive()
