"""The Unix sockets of an engine process, and the order in which their connections end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gateway.engine.gate import Gate
from gateway.engine.link import FrontLink, LinkContext
from gateway.hop.sockets import hop_path, http_path
from gateway.http.listener import (
    ABANDON_SECONDS,
    BACKLOG,
    LAST_WORDS_SECONDS,
    ConnectionServer,
)


class EngineListener:
    """Listens at a place that only fronts know; takes ``http.listener.Listener``'s part."""

    def __init__(
        self, server: ConnectionServer, context: LinkContext, base: str, port: int
    ) -> None:
        """``server`` gets the connections for HTTP. ``base`` begins the sockets' paths; ``port``
        is that of the fronts."""
        self._server = server
        self._context = context
        self._base = base
        self._port = port
        self._listening: list[asyncio.Server] = []
        self._links: set[FrontLink] = set()
        self._parting: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; the port of the whole server. Raises OSError."""
        loop = asyncio.get_running_loop()
        for path, make_protocol in (
            (hop_path(self._base), self._make_link),
            (http_path(self._base), self._server),
        ):
            gate = _gate(make_protocol)
            self._listening.append(await loop.create_unix_server(gate, path, backlog=BACKLOG))
        return self._port

    def prepare_to_stop(self, seconds: float) -> None:
        """The fronts drain: after their last words, connections for HTTP are closed as soon as
        they are at no request, and what hangs after so many seconds."""
        if self._parting is None:
            self._parting = asyncio.get_running_loop().create_task(self._part(seconds))

    async def stop_accepting(self) -> None:
        """Close the listening sockets. Open connections go on."""
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    async def say_goodbye(self) -> None:
        """Nothing: the fronts have done that."""

    async def close(self, seconds: float = 0.0, /) -> None:
        """Close every connection; answers that are on their way have so many seconds to leave,
        and at least ABANDON_SECONDS."""
        end = time.monotonic() + max(seconds, ABANDON_SECONDS)
        await self.stop_accepting()
        self._server.pre_shutdown()
        while any(link.busy for link in self._links) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        for link in list(self._links):
            link.close()
        await self._server.shutdown(end - time.monotonic())

    async def _part(self, seconds: float) -> None:
        await asyncio.sleep(min(LAST_WORDS_SECONDS, seconds))
        self._server.pre_shutdown()
        await self._server.shutdown(seconds)

    def _make_link(self) -> FrontLink:
        return FrontLink(self._context, self._links.add, self._links.discard)


def _gate(make_protocol: Callable[[], asyncio.Protocol]) -> Callable[[], Gate]:
    return lambda: Gate(make_protocol)
