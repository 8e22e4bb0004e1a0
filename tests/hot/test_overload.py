"""A full queue refuses before anything is done for a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.http.hot.hold import MOST_HELD, Hold
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.hot.fronts import Front, front
from tests.hot.requests import post

ROW = b'{"instances":[1]}'
OTHER = b'{"signature_name":"other","instances":[1]}'
NO_JSON = b'{"instances":[1'


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def full(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Front]:
    """One request runs, one waits, and that is all there is room for."""
    settings = {"max_batch_size": 1, "max_queue_rows": 1}
    async with front(
        tmp_path, {"m": {"serving_default": fake, "other": FakeSignature()}}, **settings
    ) as made:
        fake.valve.shut()
        await fill(made, fake)
        yield made
        fake.valve.open()
        await made.until_idle()


async def fill(hot: Front, fake: FakeSignature) -> None:
    """One request that runs and one that waits."""
    hot.connect().send(post(ROW))
    await until(lambda: len(fake.batches) == 1)
    hot.connect().send(post(ROW))
    await until(lambda: hot.waiting_rows() == 1)


async def refused(full: Front, body: bytes = ROW) -> None:
    wire = full.connect()
    wire.send(post(body))
    answer = await wire.answer()
    assert answer.code == 503
    assert b"1 rows wait already; at most 1 may" in answer.body
    assert 1 <= int(answer[b"Retry-After"]) <= 3


async def test_what_follows_a_refusal_is_not_even_read(full: Front) -> None:
    await refused(full)
    await refused(full, NO_JSON)


async def test_a_refusal_is_written_once_for_all(full: Front) -> None:
    await refused(full)
    wires = [full.connect() for _ in range(12)]
    for wire in wires:
        wire.send(post(ROW))
    answers = [await wire.answer() for wire in wires]
    assert {answer.code for answer in answers} == {503}
    assert {answer[b"Retry-After"] for answer in answers} == {b"1", b"2", b"3"}


async def test_refusals_end_with_the_next_batch(full: Front, fake: FakeSignature) -> None:
    await refused(full)
    fake.valve.open()
    await full.until_idle()
    wire = full.connect()
    wire.send(post(NO_JSON))
    assert (await wire.answer()).code == 400
    wire.send(post(ROW))
    assert (await wire.answer()).body == b'{"predictions":[2.0]}'


async def test_another_signature_is_not_refused(full: Front, fake: FakeSignature) -> None:
    await refused(full)
    wire = full.connect()
    wire.send(post(OTHER))
    fake.valve.open()
    assert (await wire.answer()).body == b'{"predictions":[2.0]}'


async def test_a_signature_may_be_named_by_an_escaped_key(full: Front, fake: FakeSignature) -> None:
    await refused(full)
    wire = full.connect()
    wire.send(post(OTHER.replace(b"signature_name", rb"\u0073ignature_name")))
    fake.valve.open()
    assert (await wire.answer()).code == 200


async def test_several_rows_refused_say_nothing_of_one(tmp_path: Path, fake: FakeSignature) -> None:
    async with front(tmp_path, {"m": fake}, max_batch_size=1, max_queue_rows=2) as hot:
        fake.valve.shut()
        await fill(hot, fake)
        wire = hot.connect()
        wire.send(post(b'{"instances":[1,2]}'))
        assert (await wire.answer()).code == 503
        wire.send(post(ROW))
        await until(lambda: hot.waiting_rows() == 2)
        fake.valve.open()
        assert (await wire.answer()).code == 200


async def test_refusals_are_counted(full: Front) -> None:
    before = full.gateway.metrics.requests("m", "predict").by_status.get(503, 0)
    await refused(full)
    await refused(full)
    statistics = full.servable.queues["serving_default"].batcher.statistics()
    assert statistics.rejected == 2
    assert full.gateway.metrics.requests("m", "predict").by_status[503] == before + 2


async def test_a_client_that_leaves_while_its_refusal_is_held(full: Front) -> None:
    await refused(full)
    wire = full.connect()
    wire.send(post(ROW))
    wire.leave()
    await refused(full)
    assert full.in_flight == 2


async def test_a_pipelined_request_waits_for_the_refusal(full: Front, fake: FakeSignature) -> None:
    await refused(full)
    wire = full.connect()
    wire.send(post(ROW) + post(OTHER))
    fake.valve.open()
    assert [answer.code for answer in await wire.answers(2)] == [503, 200]


async def test_aiohttp_refuses_before_the_body_is_there(
    tmp_path: Path, fake: FakeSignature
) -> None:
    async with front(tmp_path, {"m": fake}, max_batch_size=1, max_queue_rows=1) as hot:
        fake.valve.shut()
        await fill(hot, fake)
        await refused(hot)
        wire = hot.connect()
        head, _, _ = post(ROW, b"Content-Encoding: gzip").partition(b"\r\n\r\n")
        wire.send(head + b"\r\n\r\n")
        assert (await wire.answer()).code == 503
        fake.valve.open()


async def test_no_more_are_held_than_there_is_room_for() -> None:
    hold = Hold(asyncio.get_running_loop())
    answered: list[int] = []
    for number in range(MOST_HELD + 1):
        hold.keep(lambda number=number: answered.append(number))  # type: ignore[misc]
    assert answered == [MOST_HELD]
    hold.release()
    assert sorted(answered) == [*range(MOST_HELD + 1)]
