"""The engine's Unix sockets: their names, and how a front connects to one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


def hop_path(base: str) -> str:
    """The socket of the engine at ``base`` for frames. The name is abstract (unix(7)): it is in no
    folder and goes with the process."""
    return f"\0{base}.hop"


def http_path(base: str) -> str:
    """The socket of the engine at ``base`` for HTTP."""
    return f"\0{base}.http"


async def connect(
    make_protocol: Callable[[], ProtocolT], path: str
) -> tuple[asyncio.Transport, ProtocolT]:
    """Connect to a Unix socket. Raises OSError: at once, since nobody is waited for."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        connected.connect(path)
        loop = asyncio.get_running_loop()
        # By itself uvloop takes no abstract name.
        return await loop.create_unix_connection(make_protocol, sock=connected)
    except BaseException:
        connected.close()
        raise
