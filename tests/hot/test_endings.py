"""Limits in time, and the order in which a server's connections end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import gateway.app
from gateway.http.large import LARGE_OUTPUT_VALUES
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.hot.fronts import Front, front
from tests.hot.requests import ANSWER, BODY, post


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def hot(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Front]:
    async with front(tmp_path, {"m": fake}) as made:
        yield made


async def test_a_body_that_does_not_come_in_time(tmp_path: Path) -> None:
    async with front(tmp_path, {"m": FakeSignature()}, rest_api_timeout_in_ms=60) as hot:
        wire = hot.connect()
        wire.send(post()[:-3])
        answer = await wire.answer()
        assert answer.code == 504
        assert answer.body == b'{"error":"the body did not arrive within 0.06 s"}'
        assert hot.in_flight == 0


async def test_a_body_that_comes_late(tmp_path: Path) -> None:
    async with front(tmp_path, {"m": FakeSignature()}, rest_api_timeout_in_ms=400) as hot:
        wire = hot.connect()
        wire.send(post()[:-3])
        await until(lambda: hot.aiohttp_requests == 1)
        wire.send(post()[-3:])
        assert (await wire.answer()).body == ANSWER


async def test_an_answer_that_does_not_come_in_time(tmp_path: Path, fake: FakeSignature) -> None:
    async with front(tmp_path, {"m": fake}, rest_api_timeout_in_ms=60) as hot:
        fake.valve.shut()
        wire = hot.connect()
        wire.send(post())
        answer = await wire.answer()
        assert answer.code == 504
        assert answer.body.startswith(b'{"error":"no answer within ')
        wire.send(post())
        fake.valve.open()
        assert (await wire.answer()).body == ANSWER


async def test_an_idle_connection_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeSignature
) -> None:
    monkeypatch.setattr(gateway.app, "KEEPALIVE_SECONDS", 0.05)
    async with front(tmp_path, {"m": fake}, rest_api_timeout_in_ms=40) as hot:
        silent, used = hot.connect(), hot.connect()
        used.send(post())
        await used.answer()
        assert await silent.until_closed() == b""
        assert await used.until_closed() == b""
        assert not hot.server.connections


async def test_a_busy_connection_is_not_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeSignature
) -> None:
    monkeypatch.setattr(gateway.app, "KEEPALIVE_SECONDS", 0.05)
    async with front(tmp_path, {"m": fake}, rest_api_timeout_in_ms=400) as hot:
        fake.valve.shut()
        waits, idle = hot.connect(), hot.connect()
        waits.send(post())
        await idle.until_closed()
        fake.valve.open()
        assert (await waits.answer()).body == ANSWER


async def test_the_last_answers_of_a_server_that_stops(hot: Front, fake: FakeSignature) -> None:
    fake.valve.shut()
    wire = hot.connect()
    wire.send(post() + post())
    await until(lambda: len(fake.batches) == 1)
    hot.gateway.router.draining = True
    fake.valve.open()
    assert (await wire.answer())[b"Connection"] == b"close"
    assert await wire.until_closed() == b""
    assert len(fake.batches) == 1


async def test_closing_waits_for_what_runs(hot: Front, fake: FakeSignature) -> None:
    fake.valve.shut()
    idle, torn, waits = hot.connect(), hot.connect(), hot.connect()
    torn.send(post()[:30])
    waits.send(post())
    await until(lambda: len(fake.batches) == 1)
    hot.server.pre_shutdown()
    assert await idle.until_closed() == b""
    assert await torn.until_closed() == b""
    closing = asyncio.create_task(hot.server.shutdown(10))
    fake.valve.open()
    assert (await waits.answer()).body == ANSWER
    await closing
    assert waits.closed
    assert not waits.aborted


async def test_a_last_request_is_the_last(hot: Front, fake: FakeSignature) -> None:
    fake.valve.shut()
    wire = hot.connect()
    wire.send(post(BODY, b"Connection: close"))
    await until(lambda: len(fake.batches) == 1)
    wire.send(post())
    fake.valve.open()
    assert (await wire.answer())[b"Connection"] == b"close"
    assert await wire.until_closed() == b""
    assert len(fake.batches) == 1
    assert hot.aiohttp_requests == 0


async def test_what_arrives_while_it_closes_is_not_begun(hot: Front) -> None:
    """TLS delivers what came before the client's goodbye."""
    wire = hot.connect()
    protocol = wire.get_protocol()
    assert isinstance(protocol, asyncio.Protocol)
    hot.server.pre_shutdown()
    protocol.data_received(post())
    assert hot.in_flight == 0
    assert await wire.until_closed() == b""


async def test_a_large_answer_of_a_server_that_stops(hot: Front, fake: FakeSignature) -> None:
    """The thread that would write it is gone."""
    fake.function = lambda inputs: {"y": inputs["x"][:, None].repeat(LARGE_OUTPUT_VALUES + 1, 1)}
    wire = hot.connect()
    wire.send(post())
    assert len((await wire.answer()).body) > LARGE_OUTPUT_VALUES
    hot.gateway._codec.shutdown(wait=False, cancel_futures=True)
    wire.send(post())
    assert (await wire.answer()).code == 500
    assert hot.in_flight == 0


async def test_closing_does_not_wait_for_ever(hot: Front, fake: FakeSignature) -> None:
    fake.valve.shut()
    wire, torn = hot.connect(), hot.connect()
    wire.send(post())
    torn.send(post()[:-1])
    await until(lambda: len(fake.batches) == 1)
    hot.server.pre_shutdown()
    await hot.server.shutdown(0.01)
    await until(lambda: wire.closed and torn.closed)
    assert wire.aborted
    assert torn.aborted
    assert hot.in_flight == 0
    assert BODY not in wire.arrived
