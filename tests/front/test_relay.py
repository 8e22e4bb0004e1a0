"""Connections that are passed on: whole, in order, and at the pace of the slower side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.front.relay import Relay, Relays
from gateway.hop.sockets import http_path
from tests.front.rig import Rig, fronted, new_base
from tests.gateway.fake_backend import FakeSignature, spec
from tests.gateway.serving import PATIENCE_SECONDS, until
from tests.hot.requests import GET, chunked, post, split_answers
from tests.hot.wire import Wire

LARGE = 20_000_000


class Peer(asyncio.Protocol):
    """An engine that keeps what it gets, and reads when it is told."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received = 0
        self.ended = False
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def eof_received(self) -> bool:
        self.ended = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class Engine:
    """Relays towards one peer after the other."""

    def __init__(self) -> None:
        self.base = new_base()
        self.peers: list[Peer] = []
        self.relays = Relays(lambda: http_path(self.base), lambda: True, lambda: b"503")

    def make(self) -> Peer:
        self.peers.append(Peer())
        return self.peers[-1]

    async def relay(self) -> tuple[Wire, Peer]:
        """A client's wire and the engine's end."""
        wire = Wire(self.relays)
        relay = wire.get_protocol()
        assert isinstance(relay, Relay)
        await until(lambda: relay._engine is not None)
        await until(lambda: bool(self.peers))
        return wire, self.peers[-1]


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    made = Engine()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(made.make, http_path(made.base))
    yield made
    server.close()
    for peer in made.peers:
        peer.transport.abort()
    await until(lambda: all(peer.lost for peer in made.peers))


async def test_what_the_engine_does_not_read_is_not_read(engine: Engine) -> None:
    wire, peer = await engine.relay()
    peer.transport.pause_reading()
    piece = bytes(64 * 1024)
    wire.send(*[piece] * (LARGE // len(piece)))
    await asyncio.sleep(0)
    assert wire.held_back > LARGE / 2
    peer.transport.resume_reading()
    await until(lambda: not wire.held_back)
    await until(lambda: peer.received == LARGE // len(piece) * len(piece))


async def test_what_the_client_does_not_read_is_not_read(engine: Engine) -> None:
    wire, peer = await engine.relay()
    wire.stop_reading()
    peer.transport.write(bytes(LARGE))
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(wire.arrived) < LARGE / 2
    wire.read_again()
    await until(lambda: len(wire.arrived) == LARGE)


async def test_a_client_that_has_said_all(engine: Engine) -> None:
    """It may still read."""
    wire, peer = await engine.relay()
    relay = wire.get_protocol()
    assert isinstance(relay, Relay)
    wire.can_write_eof = lambda: True  # type: ignore[method-assign]
    assert relay.eof_received()
    await until(lambda: peer.ended)
    peer.transport.write(b"the answer")
    peer.transport.close()
    assert await wire.until_closed() == b"the answer"


async def test_a_client_that_leaves(engine: Engine) -> None:
    wire, peer = await engine.relay()
    wire.leave()
    await until(lambda: peer.ended or peer.lost)
    assert not engine.relays.connections


async def test_a_client_that_leaves_at_once(engine: Engine) -> None:
    """Before there is a connection to the engine."""
    wire = Wire(engine.relays)
    wire.leave()
    assert not engine.relays.connections
    other, peer = await engine.relay()
    assert not peer.ended
    other.leave()


async def test_the_end_of_all(engine: Engine) -> None:
    wire, _ = await engine.relay()
    engine.relays.pre_shutdown()
    assert not wire.closed
    await engine.relays.shutdown(0.01)
    await until(lambda: wire.closed)
    assert wire.aborted


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    wide = FakeSignature(
        lambda inputs: {"y": inputs["x"][:, None].repeat(100_000, axis=1)},
        outputs={"y": spec("y", "float32", 100_000)},
    )
    async with fronted(tmp_path, {"m": FakeSignature(), "wide": wide}) as made:
        yield made


async def test_a_large_chunked_body(rig: Rig) -> None:
    """And a large answer, both through a real port."""
    numbers = b",".join([b"1.5"] * 200_000)
    body = chunked(
        *[b'{"instances":[', *[numbers[i : i + 9999] for i in range(0, len(numbers), 9999)], b"]}"]
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.front.port)
    writer.write(body + GET)
    received = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(split_answers(received)[0]) < 2:
            received += await reader.read(2**20)
    writer.close()
    large, status = split_answers(received)[0]
    assert large.body == b'{"predictions":[%b]}' % b",".join([b"3.0"] * 200_000)
    assert status.code == 200


async def test_a_wide_answer(rig: Rig) -> None:
    """From the front's own hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.front.port)
    writer.write(post(b'{"instances":[1.5,2.5]}', path=b"/v1/models/wide:predict"))
    received = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not split_answers(received)[0]:
            received += await reader.read(2**20)
    writer.close()
    rows = (b",".join([number] * 100_000) for number in (b"1.5", b"2.5"))
    assert split_answers(received)[0][0].body == b'{"predictions":[[%b],[%b]]}' % tuple(rows)
    assert rig.front.relayed == 0
