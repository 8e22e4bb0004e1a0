"""The listening sockets of a server whose connections are taken by several processes.

Each front has its own socket on the port, and the kernel shares connections out between them. The
supervisor keeps all of them open: what waits on the socket of a front that died is taken by its
successor.
"""

from __future__ import annotations

import socket

from gateway.http.listener import BACKLOG, bind, find_addresses


async def open_sockets(host: str, port: int, fronts: int) -> list[list[socket.socket]]:
    """For each front a socket for each address of the host; all listen, on one port.

    Raises PortBusyError, also when another server would share the port, or OSError.
    """
    opened: list[list[socket.socket]] = [[] for _ in range(fronts)]
    try:
        for family, address in await find_addresses(host):
            # Bound without leave to share, so that nobody else has the port; only then shared.
            first = bind(family, address, port)
            opened[0].append(first)
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            first.listen(BACKLOG)
            port = first.getsockname()[1]
            for own in opened[1:]:
                own.append(_sharing(first))
    except BaseException:
        close_sockets(opened)
        raise
    return opened


def close_sockets(opened: list[list[socket.socket]]) -> None:
    """Give up this process's part in the sockets."""
    for own in opened:
        for listening in own:
            listening.close()
        own.clear()


def _sharing(first: socket.socket) -> socket.socket:
    """Another socket that listens on the address of ``first``."""
    other = socket.socket(first.family, socket.SOCK_STREAM)
    try:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if first.family == socket.AF_INET6:
            only = first.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        other.bind(first.getsockname())
        other.listen(BACKLOG)
    except BaseException:
        other.close()
        raise
    return other
