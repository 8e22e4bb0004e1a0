"""The connections of one port: those that are hot, and behind them aiohttp's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

from gateway.http.hot.connection import HotConnection, Turn
from gateway.http.hot.head import MAX_JSON_BYTES, HeadReader
from gateway.http.hot.hold import Hold
from gateway.http.listener import ConnectionServer

SHORTEST_TICK_SECONDS, LONGEST_TICK_SECONDS = 0.05, 1.0
TICKS_A_TIMEOUT = 4
"""A body's timeout begins anew when its request is handed over: that must come soon against it."""


class HotServer:
    """A protocol factory that can stand in aiohttp's place."""

    def __init__(
        self,
        fallback: ConnectionServer,
        make_request: Callable[[HotConnection], Turn],
        hold: Hold,
        *,
        max_body_bytes: int,
        max_json_bytes: int = MAX_JSON_BYTES,
        timeout: float,
        keepalive: float,
    ) -> None:
        """``fallback`` gets connections with requests that are not plain; ``make_request`` is
        called once for each connection. ``hold`` has the refusals of all. ``timeout`` of a request
        and ``keepalive``, the longest rest between two, are in seconds."""
        self._make_request = make_request
        self._hold = hold
        self.heads = HeadReader(max_body_bytes, max_json_bytes)
        self.fallback = fallback
        wanted = max(SHORTEST_TICK_SECONDS, timeout / TICKS_A_TIMEOUT)
        self._tick_seconds = min(LONGEST_TICK_SECONDS, wanted)
        self.idle_ticks = math.ceil(keepalive / self._tick_seconds)
        self._connections: set[HotConnection] = set()
        self._all_closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ticker: asyncio.TimerHandle | None = None

    def __call__(self) -> asyncio.Protocol:
        return HotConnection(self)

    @property
    def connections(self) -> Sequence[object]:
        """Every open connection."""
        return [*self._connections, *self.fallback.connections]

    def pre_shutdown(self) -> None:
        """Close the connections that are at no request; the others with their next answer."""
        self._hold.release()
        for connection in list(self._connections):
            connection.shut()
        self.fallback.pre_shutdown()

    async def shutdown(self, seconds: float, /) -> None:
        """Wait until all connections are closed; those that still are not after so many seconds
        are cut."""
        await asyncio.gather(self._closed_within(seconds), self.fallback.shutdown(seconds))
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    # What connections call.

    def opened(self, connection: HotConnection) -> None:
        self._connections.add(connection)
        if self._ticker is None:
            self._ticker = self._loop.call_later(self._tick_seconds, self._tick)

    def closed(self, connection: HotConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def make_request(self, connection: HotConnection) -> Turn:
        return self._make_request(connection)

    def make_fallback(self) -> asyncio.Protocol:
        return self.fallback()

    # Inside.

    def _tick(self) -> None:
        """One timer for all connections; none while there are none."""
        self._ticker = None
        if self._connections:
            self._ticker = self._loop.call_later(self._tick_seconds, self._tick)
        for connection in list(self._connections):
            connection.tick()

    async def _closed_within(self, seconds: float) -> None:
        self._all_closed.clear()
        if not self._connections:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._all_closed.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()
