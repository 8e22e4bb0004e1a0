"""Who may connect to the engine: processes of its own user."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from typing import cast

_CREDENTIALS = struct.Struct("3i")
"""Process, user, group (unix(7), struct ucred)."""


class Gate(asyncio.Protocol):
    """Lets a connection through to its protocol, or cuts it.

    The sockets have abstract names, which need no folder, leave nothing behind and have no
    permissions either: so each connection is asked.
    """

    def __init__(self, make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._make_protocol = make_protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        if peer_user(stream) != os.geteuid():
            stream.abort()
            return
        protocol = self._make_protocol()
        stream.set_protocol(protocol)
        protocol.connection_made(stream)


def peer_user(transport: asyncio.Transport) -> int:
    """The user who connected a Unix socket."""
    peer = transport.get_extra_info("socket")
    found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(found)
    return int(user)
