"""A port that several processes share, and nobody else."""

from __future__ import annotations

import socket

import pytest

from gateway.http.listener import PortBusyError
from gateway.supervisor import sockets
from gateway.supervisor.sockets import close_sockets, open_sockets

CONNECTIONS = 64


async def test_connections_are_shared_out() -> None:
    opened = await open_sockets("127.0.0.1", 0, 2)
    [port] = {own[0].getsockname()[1] for own in opened}
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    taken = [count_waiting(own[0]) for own in opened]
    assert sum(taken) == CONNECTIONS
    assert min(taken) > CONNECTIONS / 8
    for client in clients:
        client.close()
    close_sockets(opened)


def count_waiting(listening: socket.socket) -> int:
    listening.setblocking(False)
    number = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


async def test_every_address_of_a_host() -> None:
    opened = await open_sockets("localhost", 0, 3)
    assert len({one.getsockname()[1] for own in opened for one in own}) == 1
    assert {tuple(one.family for one in own) for own in opened} == {
        tuple(one.family for one in opened[0])
    }
    close_sockets(opened)


@pytest.mark.parametrize("fronts", [1, 2])
async def test_a_port_that_has_fronts_is_taken(fronts: int) -> None:
    opened = await open_sockets("127.0.0.1", 0, fronts)
    port = opened[0][0].getsockname()[1]
    for asked in (1, 2):
        with pytest.raises(PortBusyError):
            await open_sockets("127.0.0.1", port, asked)
    close_sockets(opened)
    close_sockets(await open_sockets("127.0.0.1", port, fronts))


async def test_a_port_that_somebody_else_has() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortBusyError):
            await open_sockets("127.0.0.1", other.getsockname()[1], 2)


async def test_nothing_is_left_open_when_an_address_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two addresses the second one."""

    async def two(host: str) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")]

    monkeypatch.setattr(sockets, "find_addresses", two)
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortBusyError):
            await open_sockets("localhost", port, 2)
    opened = await open_sockets("localhost", port, 2)
    names = [[one.getsockname() for one in own] for own in opened]
    assert names == [[("127.0.0.1", port), ("127.0.0.2", port)]] * 2
    close_sockets(opened)


async def test_an_address_of_another_host() -> None:
    with pytest.raises(OSError, match="assign"):
        await open_sockets("192.0.2.1", 0, 2)
