"""The listening sockets, and the order in which a server stops."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from typing import Protocol

BACKLOG = 4096
"""Connections that may wait to be accepted; 128 made 10,000 connects take 51 s."""
KEEPALIVE_SECONDS = 75.0
"""The longest rest of a connection between two requests."""
LAST_WORDS_SECONDS = 0.5
"""How long busy keep-alive connections have to send one more request and be told to close."""
ABANDON_SECONDS = 1.0
"""After the drain: how long a connection may still hold its handler, because its client does not
send the rest of a body or does not read its answer."""


class PortBusyError(Exception):
    """Another process listens there."""


class ConnectionServer(Protocol):
    """Makes the protocols of a port's connections and knows those that are open."""

    def __call__(self) -> asyncio.Protocol: ...

    @property
    def connections(self) -> Sequence[object]:
        """Every open connection."""

    def pre_shutdown(self) -> None:
        """Close connections that are at no request."""

    async def shutdown(self, seconds: float, /) -> None:
        """Close all connections; for so many seconds wait for what they are at."""


class Listener:
    """A server on one port of one host (``localhost``: both loopback families)."""

    def __init__(
        self, server: ConnectionServer, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        """Speaks plain HTTP without ``tls``."""
        self._server = server
        self._host = host
        self._port = port
        self._tls = tls
        self._listening: list[asyncio.Server] = []

    async def start(self) -> int:
        """Listen; the port that was bound. Raises PortBusyError or OSError."""
        port = self._port
        for family, address in await find_addresses(self._host):
            bound = bind(family, address, port)
            port = bound.getsockname()[1]
            await self.start_on([bound])
        return port

    async def start_on(self, sockets: Sequence[socket.socket]) -> None:
        """Take the connections of sockets that listen already."""
        loop = asyncio.get_running_loop()
        for bound in sockets:
            self._listening.append(
                await loop.create_server(self._server, sock=bound, ssl=self._tls, backlog=BACKLOG)
            )

    async def stop_accepting(self) -> None:
        """Close the listening sockets. Open connections go on."""
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    async def say_goodbye(self) -> None:
        """Wait until no connection is open, or those that are have had time for a last request.

        To close an idle keep-alive connection at once would lose the request that its client is
        just sending; its next answer says ``Connection: close`` instead.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + LAST_WORDS_SECONDS
        # aiohttp tells nobody when a connection closes.
        while self._server.connections and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def close(self, seconds: float = 0.0) -> None:
        """Close every connection; answers that are on their way have so many seconds to arrive,
        and at least ABANDON_SECONDS."""
        await self.stop_accepting()
        self._server.pre_shutdown()
        await self._server.shutdown(max(seconds, ABANDON_SECONDS))


async def find_addresses(host: str) -> list[tuple[int, str]]:
    """Family and address of all that ``host`` means for a server. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def bind(family: int, address: str, port: int) -> socket.socket:
    """A socket that has the port for itself. Raises PortBusyError or OSError."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and address != "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortBusyError(f"port {port} of {address} is in use") from None
        raise
    return bound
