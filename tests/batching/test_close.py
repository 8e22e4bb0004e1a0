"""Closing: what has no answer yet fails at once."""

from __future__ import annotations

import asyncio

import pytest

from batching import (
    BatchPolicy,
    Closed,
    Item,
)
from batching.testing import settle
from tests.batching.harness import Bench, answer

FOUR = BatchPolicy(max_batch_size=4)


def closed(item: Item) -> bool:
    return item.done() and isinstance(item.exception(), Closed)


async def test_close_fails_those_that_wait_and_those_that_run() -> None:
    bench = Bench(FOUR, name="m")
    items = [bench.submit(n) for n in range(1, 7)]
    await settle()
    bench.batcher.close()
    assert all(closed(item) for item in items)
    assert str(items[0].exception()) == "m was closed"
    stats = bench.batcher.statistics()
    assert (stats.failed, stats.waiting_rows, stats.waiting_items) == (6, 0, 0)
    with pytest.raises(Closed):
        bench.submit(1)


async def test_what_a_closed_batcher_s_devices_still_do_is_not_heard() -> None:
    bench = Bench(FOUR)
    ran, dropped = await bench.start(1), bench.submit(2)
    bench.executors[0].running[0].run()
    bench.batcher.close()
    await bench.finish()
    assert closed(ran)
    assert closed(dropped)
    assert bench.batches == [[1]]
    assert bench.batcher.statistics().running_batches == 0


async def test_close_before_the_run_saves_the_run() -> None:
    bench = Bench(FOUR)
    await bench.start(1)
    bench.batcher.close()
    await bench.finish()
    assert bench.batches == []


async def test_close_takes_timers_along_and_may_be_repeated() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, batch_timeout=60.0))
    bench.submit(1, deadline=5.0)
    await settle()
    assert bench.clock.timers == [5.0]
    bench.batcher.close()
    bench.batcher.close()
    assert bench.clock.timers == []
    assert bench.batcher.statistics().failed == 1


async def test_a_cancelled_item_stays_cancelled_when_closed() -> None:
    bench = Bench(FOUR)
    item = await bench.start(1)
    item.cancel()
    bench.batcher.close()
    assert item.cancelled()
    stats = bench.batcher.statistics()
    assert (stats.cancelled, stats.failed) == (1, 0)


async def test_async_with_drains_and_closes() -> None:
    bench = Bench(FOUR)

    async def body() -> Item:
        async with bench.batcher:
            return bench.submit(1)

    task = asyncio.create_task(body())
    await settle()
    assert not task.done()
    await bench.finish()
    assert answer(task.result()) == [2]
    assert "closed" in repr(bench.batcher)


async def test_async_with_lets_the_body_s_error_through() -> None:
    bench = Bench(FOUR)
    with pytest.raises(ZeroDivisionError):
        async with bench.batcher:
            raise ZeroDivisionError
    with pytest.raises(Closed):
        bench.submit(1)


async def test_async_with_that_is_cancelled_while_it_drains_still_closes() -> None:
    bench = Bench(FOUR)

    async def body() -> None:
        async with bench.batcher:
            items.append(bench.submit(1))

    items: list[Item] = []
    task = asyncio.create_task(body())
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()
    assert closed(items[0])
