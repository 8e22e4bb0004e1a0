"""Fronts whose engine dies, hangs, or is not there yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import gateway.front.link
from gateway.engine.link import FrontLink
from gateway.hop.frames import Kind, hello, json_frame
from gateway.hop.sockets import hop_path
from tests.front.rig import FrontClient, Rig, engine_at, front_of, fronted, new_base
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.hot.requests import ANSWER, GET, LAST, Answer, post

GONE = b'{"error":"the inference engine is not available"}'


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


def is_refusal(answer: Answer) -> bool:
    assert int(answer[b"Retry-After"]) >= 1
    return (answer.code, answer.body) == (503, GONE)


async def kill(rig: Rig) -> None:
    """As if the engine's process had ended: all its sockets close at once."""
    await rig.engine.stop_accepting()
    for link in list(rig.engine._links):
        assert link._outbox.transport is not None
        link._outbox.transport.abort()
    await until(lambda: not rig.front.connected)


async def test_requests_in_flight(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}) as rig:
        fake.valve.shut()
        wires = [rig.front.wire() for _ in range(3)]
        for wire in wires:
            wire.send(post() + post())
        await until(lambda: rig.in_flight == 3)
        await kill(rig)
        for wire in wires:
            assert all(map(is_refusal, await wire.answers(2)))
            assert not wire.closed
        await until(lambda: not rig.in_flight)


@pytest.mark.parametrize("data", [post(), GET, b"\0nonsense"], ids=["hot", "cold", "nonsense"])
async def test_without_an_engine(tmp_path: Path, fake: FakeSignature, data: bytes) -> None:
    """Also before the first one is there."""
    async with fronted(tmp_path, {"m": fake}) as rig, front_of(rig.client) as other:
        await kill(rig)
        for front in (rig.front, other):
            wire = front.wire()
            wire.send(data)
            assert is_refusal(await wire.answer())


async def test_another_engine(tmp_path: Path, fake: FakeSignature) -> None:
    """The connections of clients stay open all the time."""
    async with fronted(tmp_path, {"m": fake}) as rig:
        wire = rig.front.wire()
        wire.send(post())
        assert (await wire.answer()).body == ANSWER
        await kill(rig)
        wire.send(post())
        assert is_refusal(await wire.answer())
        base = new_base()
        async with engine_at(rig.client, base):
            rig.front.front.engine.move_to(base)
            await until(lambda: rig.front.connected)
            wire.send(post())
            assert (await wire.answer()).body == ANSWER
            rig.front.front.engine.close()


async def test_moving_to_another_engine_loses_nothing(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}) as rig:
        fake.valve.shut()
        before = rig.front.wire()
        before.send(post())
        await until(lambda: len(fake.batches) == 1)
        [old] = rig.engine._links
        base = new_base()
        async with engine_at(rig.client, base) as engine:
            rig.front.front.engine.move_to(base)
            await until(lambda: bool(engine._links))
            await until(lambda: rig.front.front.engine.base == base)
            await until(lambda: bool(rig.front.front.engine.table.generation))
            after = rig.front.wire()
            after.send(post())
            await until(lambda: rig.in_flight == 2)
            assert old._pending
            fake.valve.open()
            assert [(await wire.answer()).body for wire in (before, after)] == [ANSWER] * 2
            rig.front.front.engine.close()


async def test_an_engine_that_comes_late(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}) as rig, front_of(rig.client) as late:
        base = new_base()
        late.front.engine.move_to(base)
        wire = late.wire()
        wire.send(post())
        assert is_refusal(await wire.answer())
        async with engine_at(rig.client, base):
            await until(lambda: late.connected)
            late.front.engine.close()


async def test_a_connection_that_is_passed_on(tmp_path: Path, fake: FakeSignature) -> None:
    """Whoever waits for an answer is told; nothing is ever written into one that has begun."""
    async with fronted(tmp_path, {"m": fake}, hot_path=False) as rig:
        fake.valve.shut()
        waits, idle = rig.front.wire(), rig.front.wire()
        idle.send(GET)
        await idle.answer()
        waits.send(GET)
        assert (await waits.answer()).code == 200
        waits.send(post())
        await until(lambda: len(fake.batches) == 1)
        await kill(rig)
        server = rig.engine._server
        for connection in server.connections:
            connection.force_close()  # type: ignore[attr-defined]
        assert is_refusal(await waits.answer())
        await waits.until_closed()
        assert await idle.until_closed() == b""


async def test_an_answer_that_has_begun(tmp_path: Path) -> None:
    base = new_base()

    class Half(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, object)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it")  # type: ignore[attr-defined]

    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(Half, f"\0{base}.http")
    async with fronted(tmp_path, {"m": FakeSignature()}) as rig, front_of(rig.client) as front:
        front.front.engine.base = base
        wire = front.wire()
        wire.send(GET)
        await until(lambda: wire.arrived.endswith(b"half of it"))
        wire.send(GET)
        [relay] = front._relays.connections
        await until(lambda: relay._asked)
        relay._engine.abort()
        assert (await wire.until_closed()).endswith(b"half of it")
    server.close()


@asynccontextmanager
async def silent_engine(rig: Rig) -> AsyncIterator[tuple[str, list[asyncio.Transport]]]:
    """Says what there is, and then nothing any more: it hangs."""
    base = new_base()
    transports: list[asyncio.Transport] = []

    class Silent(FrontLink):
        def _read(self, kind: int, payload: object) -> None:
            """Hangs."""

    def made(link: FrontLink) -> None:
        assert link._outbox.transport is not None
        transports.append(link._outbox.transport)

    context = rig.client.gateway.make_link_context()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(
        lambda: Silent(context, made, lambda link: None), hop_path(base)
    )
    try:
        yield base, transports
    finally:
        server.close()


async def test_an_engine_that_hangs(
    tmp_path: Path, fake: FakeSignature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.front.link, "GRACE_SECONDS", 0.05)
    async with (
        fronted(tmp_path, {"m": fake}, rest_api_timeout_in_ms=50) as rig,
        silent_engine(rig) as (base, _),
        front_of(rig.client) as front,
    ):
        front.front.engine.move_to(base)
        await until(lambda: front.connected and bool(front.front.engine.table.generation))
        wire = front.wire()
        began = time.monotonic()
        wire.send(post())
        answer = await wire.answer()
        assert (answer.code, answer.body) == (504, b'{"error":"no answer in time"}')
        assert time.monotonic() - began < 5


async def refused_by(front: FrontClient, transports: list[asyncio.Transport], data: bytes) -> None:
    link = front.front.engine.link
    transports[-1].write(data)
    await until(lambda: front.front.engine.link not in (link, None))


async def test_an_engine_that_sends_nonsense(
    tmp_path: Path, fake: FakeSignature, caplog: pytest.LogCaptureFixture
) -> None:
    """What waits is refused, and another link is made."""
    async with (
        fronted(tmp_path, {"m": fake}) as rig,
        silent_engine(rig) as (base, transports),
        front_of(rig.client) as front,
    ):
        front.front.engine.move_to(base)
        for data in (json_frame(Kind.REQUESTS, {}), json_frame(Kind.REPLIES, {}), b"\xff" * 99):
            await until(lambda: bool(front.front.engine.table.generation))
            wire = front.wire()
            wire.send(post())
            await until(lambda: front.front.context.in_flight == 1)
            await refused_by(front, transports, data)
            assert is_refusal(await wire.answer())
        # Answers to requests that nobody has asked are no matter.
        transports[-1].write(json_frame(Kind.ERRORS, [[99, "INTERNAL", "x", None]]))
        assert "the engine sends nonsense" in caplog.text


async def test_an_engine_of_another_protocol(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}) as rig:
        link = FrontLink(rig.client.gateway.make_link_context(), print, lambda link: None)
        aborted = []

        class Transport(asyncio.Transport):
            def writelines(self, pieces: object) -> None:
                """Whatever it is."""

            def abort(self) -> None:
                aborted.append(self)

        link.connection_made(Transport())
        link.data_received(json_frame(Kind.HELLO, {"protocol": 99}))
        assert aborted
        assert hello() != json_frame(Kind.HELLO, {"protocol": 99})


async def test_a_client_that_says_goodbye_first(tmp_path: Path, fake: FakeSignature) -> None:
    async with fronted(tmp_path, {"m": fake}) as rig:
        found = await rig.front.raw(GET + LAST)
        assert found.count(b"HTTP/1.1 200 OK") == 2
        await until(lambda: not rig.front.relayed)
