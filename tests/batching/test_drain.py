"""Draining: everything is answered, nothing new is taken."""

from __future__ import annotations

import asyncio

import pytest

from batching import (
    Batcher,
    BatchFailed,
    BatchPolicy,
    BatchQueue,
    Closed,
    DeadlineExceeded,
    DropReason,
    Item,
    ItemDropped,
)
from batching.testing import settle
from tests.batching.harness import Bench, answer, double, rows

FOUR = BatchPolicy(max_batch_size=4)


def closed(item: Item) -> bool:
    return item.done() and isinstance(item.exception(), Closed)


async def draining(batcher: Batcher) -> asyncio.Task[None]:
    """A drain that has begun."""
    task = asyncio.create_task(batcher.drain())
    await settle()
    return task


async def test_drain_answers_all_and_then_refuses() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n, n) for n in range(1, 6)]
    drain = await draining(bench.batcher)
    with pytest.raises(Closed, match="takes no more requests"):
        bench.submit(1)
    for _ in range(3):
        assert not drain.done()
        await bench.finish()
    assert drain.done()
    assert [answer(item) for item in items] == [[2 * n, 2 * n] for n in range(1, 6)]
    with pytest.raises(Closed):
        bench.submit(1)
    assert bench.batcher.statistics().rejected == 2
    assert bench.events[-1] == ItemDropped(DropReason.CLOSED, 1, 0.0)


async def test_drain_of_an_idle_batcher_is_over_at_once() -> None:
    bench = Bench(FOUR)
    assert (await draining(bench.batcher)).done()


async def test_drain_does_not_wait_for_the_batch_timeout() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, batch_timeout=60.0))
    item = bench.submit(1)
    await settle()
    assert bench.running == 0
    drain = await draining(bench.batcher)
    assert bench.running == 1
    await bench.finish()
    assert drain.done()
    assert answer(item) == [2]


async def test_drain_waits_for_all_parts_of_a_split_item() -> None:
    bench = Bench(FOUR, devices=2)
    item = bench.submit(*range(1, 8))
    drain = await draining(bench.batcher)
    await bench.finish(1)
    assert not drain.done()
    await bench.finish(0)
    assert drain.done()
    assert answer(item) == [2 * n for n in range(1, 8)]


async def test_several_may_wait_for_one_drain() -> None:
    bench = Bench(FOUR)
    bench.submit(1)
    drains = [await draining(bench.batcher) for _ in range(3)]
    await bench.finish()
    assert all(drain.done() for drain in drains)


async def test_drain_may_be_given_up_and_taken_up_again() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1)
    given_up, other = await draining(bench.batcher), await draining(bench.batcher)
    given_up.cancel()
    await settle()
    assert given_up.cancelled()
    assert not other.done()
    again = await draining(bench.batcher)
    await bench.finish()
    assert other.done()
    assert again.done()
    assert answer(item) == [2]


async def waiting_behind_another(bench: Bench) -> tuple[Batcher, Item]:
    """A batcher with one item and a deadline of 1 s, whose device another batcher keeps busy."""
    await bench.start(1)
    batcher = Batcher(double, bench.pool, FOUR, clock=bench.clock)
    return batcher, batcher.submit(rows(2), deadline=1.0)


async def test_drain_ends_with_the_last_cancelled_item() -> None:
    bench = Bench(FOUR)
    batcher, item = await waiting_behind_another(bench)
    drain = await draining(batcher)
    assert not drain.done()
    item.cancel()
    await settle()
    assert drain.done()


async def test_drain_ends_with_the_last_expired_item() -> None:
    bench = Bench(FOUR)
    batcher, item = await waiting_behind_another(bench)
    drain = await draining(batcher)
    bench.clock.advance(1.0)
    await settle()
    assert drain.done()
    assert isinstance(item.exception(), DeadlineExceeded)


async def test_drain_ends_when_the_queue_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError

    bench = Bench(FOUR)
    batcher, item = await waiting_behind_another(bench)
    drain = await draining(batcher)
    monkeypatch.setattr(BatchQueue, "take", broken)
    await bench.finish()
    assert drain.done()
    assert isinstance(item.exception(), BatchFailed)


async def test_drain_ends_when_closed() -> None:
    bench = Bench(FOUR)
    batcher, item = await waiting_behind_another(bench)
    drain = await draining(batcher)
    batcher.close()
    await settle()
    assert drain.done()
    assert closed(item)


async def test_repr_tells_the_state() -> None:
    bench = Bench(FOUR, name="m")
    item = bench.submit(1)
    assert repr(item).startswith("<Item rows=1 taken=0 pending>")
    assert repr(bench.pool) == "<DevicePool idle=1 of 1>"
    expected = "<Batcher m {} <BatchQueue items=1 rows=1 lanes=1> running=0>"
    assert repr(bench.batcher) == expected.format("open")
    drain = asyncio.ensure_future(bench.batcher.drain())
    await settle(1)
    assert "draining" in repr(bench.batcher)
    bench.batcher.close()
    await bench.finish_all()
    assert drain.done()
    assert "closed" in repr(bench.batcher)
