"""Order, back-pressure, clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http.hot.connection import MAX_BUFFERED_BYTES
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.hot.fronts import Front, front
from tests.hot.requests import post


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def hot(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Front]:
    async with front(tmp_path, {"m": fake}) as made:
        yield made


def asking(number: int) -> bytes:
    return post(b'{"instances":[%d]}' % number)


def wide(number: int) -> bytes:
    return post(b'{"instances":[%d]}'.ljust(4000) % number)


def answer_to(number: int) -> bytes:
    return b'{"predictions":[%.1f]}' % (2 * number)


async def running(hot: Front, fake: FakeSignature, data: bytes = asking(0)) -> None:
    """A request on a connection of its own that keeps the device."""
    fake.valve.shut()
    hot.connect().send(data)
    await until(lambda: len(fake.batches) == 1)


async def test_pipelined_requests_are_answered_in_order(hot: Front, fake: FakeSignature) -> None:
    wire = hot.connect()
    numbers = range(200)
    wire.send(b"".join(map(asking, numbers)))
    answers = await wire.answers(len(numbers))
    assert [answer.body for answer in answers] == [*map(answer_to, numbers)]
    assert fake.sizes == [1] * len(numbers), "one at a time"


async def test_a_client_that_sends_without_reading_is_held_back(
    hot: Front, fake: FakeSignature
) -> None:
    fake.valve.shut()
    wire = hot.connect()
    data = wide(3)
    number = 5 * MAX_BUFFERED_BYTES // len(data)
    wire.send(*[data] * number)
    await until(lambda: len(fake.batches) == 1)
    assert wire.held_back > 3 * MAX_BUFFERED_BYTES
    fake.valve.open()
    answers = await wire.answers(number)
    assert {answer.body for answer in answers} == {answer_to(3)}
    assert wire.held_back == 0


async def test_a_request_larger_than_what_is_read_ahead(hot: Front, fake: FakeSignature) -> None:
    """It comes behind another one, so reading was paused in the middle of it."""
    fake.valve.shut()
    wire = hot.connect()
    large = post(b'{"instances":[4]}'.ljust(MAX_BUFFERED_BYTES), b"X: " + b"x" * 4000)
    wire.send(asking(3))
    await until(lambda: len(fake.batches) == 1)
    wire.send(*(large[at : at + 1000] for at in range(0, len(large), 1000)))
    assert 0 < wire.held_back < 5000
    fake.valve.open()
    answers = await wire.answers(2)
    assert [answer.body for answer in answers] == [answer_to(3), answer_to(4)]
    assert hot.aiohttp_requests == 0


async def test_nothing_runs_for_a_client_that_does_not_read(
    hot: Front, fake: FakeSignature
) -> None:
    fake.valve.shut()
    wire = hot.connect()
    wire.send(asking(1) + asking(2))
    await until(lambda: len(fake.batches) == 1)
    wire.stop_reading()
    fake.valve.open()
    await wire.answer()
    wire.send(*[wide(3)] * 50)
    await hot.until_idle()
    assert len(fake.batches) == 1
    assert wire.held_back > 0
    wire.read_again()
    assert len(await wire.answers(51)) == 51


async def test_a_client_that_leaves_takes_its_rows_along(hot: Front, fake: FakeSignature) -> None:
    await running(hot, fake)
    gone, stays = hot.connect(), hot.connect()
    gone.send(asking(7))
    stays.send(asking(8))
    await until(lambda: hot.waiting_rows() == 2)
    gone.leave()
    assert hot.waiting_rows() == 1
    assert hot.in_flight == 2
    fake.valve.open()
    assert (await stays.answer()).body == answer_to(8)
    await hot.until_idle()
    assert [batch["x"].tolist() for batch in fake.batches] == [[0], [8]]
    status = "tensorgate_requests_total"
    assert await hot.client.metric(status, model="m", code="499") == 1
    await asyncio.wait_for(hot.servable.retire(), 5)


async def test_a_client_that_leaves_while_it_runs(hot: Front, fake: FakeSignature) -> None:
    fake.valve.shut()
    gone = hot.connect()
    gone.send(asking(7))
    await until(lambda: len(fake.batches) == 1)
    gone.leave()
    assert hot.in_flight == 0
    fake.valve.open()
    await asyncio.wait_for(hot.servable.retire(), 5)


async def test_a_client_that_leaves_within_its_body(hot: Front) -> None:
    gone = hot.connect()
    gone.send(asking(7)[:-3])
    assert hot.in_flight == 1
    gone.leave()
    assert hot.in_flight == 0
    assert not hot.server.connections


async def test_a_client_that_leaves_while_a_failure_is_on_its_way(
    hot: Front, fake: FakeSignature, caplog: pytest.LogCaptureFixture
) -> None:
    await running(hot, fake)
    gone = hot.connect()
    gone.send(asking(7))
    await until(lambda: hot.waiting_rows() == 1)
    hot.gateway.close()
    gone.leave()
    await hot.until_idle()
    assert not [record for record in caplog.records if record.name == "asyncio"]
