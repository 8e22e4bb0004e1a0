"""Cancelling at every point of an item's way; its neighbours are always right."""

from __future__ import annotations

import asyncio

import pytest

from batching import BatchPolicy, DropReason, Item, ItemDropped, Outputs
from batching.testing import settle
from tests.batching.harness import Arrays, Bench, answer, double

FOUR = BatchPolicy(max_batch_size=4)


def assert_answered(items: list[Item], *cancelled: Item) -> None:
    for number, item in enumerate(items, 1):
        if item in cancelled:
            assert item.cancelled()
        else:
            assert answer(item) == [2 * number]


@pytest.mark.parametrize("position", [0, 1, 2], ids=["head", "middle", "last"])
async def test_queued(position: int) -> None:
    bench = Bench(FOUR)
    running = await bench.start(9)
    items = [bench.submit(n) for n in (1, 2, 3)]
    assert items[position].cancel()
    stats = bench.batcher.statistics()
    assert (stats.waiting_items, stats.waiting_rows, stats.cancelled) == (2, 2, 1)
    await bench.finish_all()
    assert answer(running) == [18]
    assert_answered(items, items[position])
    assert [position + 1] not in bench.batches
    assert sorted(bench.batches[1]) == [n for n in (1, 2, 3) if n != position + 1]


async def test_all_queued_ones() -> None:
    bench = Bench(FOUR)
    await bench.start(9)
    for item in [bench.submit(n) for n in (1, 2, 3)]:
        item.cancel()
    await bench.finish_all()
    assert bench.batches == [[9]]
    assert bench.batcher.statistics().waiting_rows == 0


async def test_before_it_was_ever_looked_at() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2)]
    items[0].cancel()
    await bench.finish_all()
    assert bench.batches == [[2]]
    assert_answered(items, items[0])


async def test_between_sealing_and_running() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2, 3)]
    await settle()
    items[1].cancel()
    await bench.finish()
    assert bench.batches == [[1, 3]]
    assert_answered(items, items[1])


async def test_all_between_sealing_and_running() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2)]
    await settle()
    for item in items:
        item.cancel()
    await bench.finish()
    assert bench.batches == []
    later = bench.submit(3)
    await bench.finish()
    assert answer(later) == [6]


async def test_while_running() -> None:
    def run(inputs: Arrays) -> Arrays:
        items[1].cancel()
        return double(inputs)

    bench = Bench(FOUR, run)
    items = [bench.submit(n) for n in (1, 2, 3)]
    await bench.finish()
    assert bench.batches == [[1, 2, 3]]
    assert_answered(items, items[1])


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_between_the_run_and_the_answers(position: int) -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2, 3)]
    await settle()
    bench.executors[0].running[0].run()
    items[position].cancel()
    await bench.finish()
    assert_answered(items, items[position])


async def test_after_it_was_answered() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2)]
    await bench.finish()
    assert not items[0].cancel()
    assert_answered(items)
    assert bench.batcher.statistics().cancelled == 0


async def test_twice() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1)
    assert item.cancel()
    assert not item.cancel()
    assert bench.batcher.statistics().cancelled == 1


async def test_a_cancelled_task_takes_its_item_along() -> None:
    bench = Bench(FOUR)
    await bench.start(9)

    async def client(value: int) -> list[float]:
        outputs = await bench.submit(value)
        return list(outputs["y"].tolist())

    tasks = [asyncio.create_task(client(n)) for n in (1, 2, 3)]
    await settle()
    tasks[0].cancel()
    await settle()
    assert bench.batcher.statistics().waiting_rows == 2
    await bench.finish_all()
    assert tasks[0].cancelled()
    assert [task.result() for task in tasks[1:]] == [[4], [6]]
    assert bench.batches == [[9], [2, 3]]


async def test_a_cancelled_item_that_is_awaited_counts_once() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1)

    async def client() -> Outputs:
        return await item

    tasks = [asyncio.create_task(client()) for _ in range(2)]
    await settle()
    item.cancel()
    await settle()
    assert all(task.cancelled() for task in tasks)
    assert bench.batcher.statistics().cancelled == 1


async def test_a_cancelled_task_of_a_running_item_does_not_disturb_its_neighbours() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2)]

    async def client() -> Outputs:
        return await items[0]

    task = asyncio.create_task(client())
    await settle()
    bench.executors[0].running[0].run()
    task.cancel()
    await bench.finish()
    assert task.cancelled()
    assert items[0].cancelled()
    assert answer(items[1]) == [4]


async def test_a_task_cancelled_in_the_moment_of_its_answer_has_one_outcome() -> None:
    bench = Bench(FOUR)

    async def client() -> Outputs:
        return await bench.submit(1)

    task = asyncio.create_task(client())
    await settle()
    bench.executors[0].finish()
    task.cancel()
    await settle()
    assert task.cancelled()
    stats = bench.batcher.statistics()
    assert (stats.submitted, stats.answered, stats.cancelled) == (1, 1, 0)
    assert not any(isinstance(event, ItemDropped) for event in bench.events)


async def test_a_timeout_of_the_caller_is_a_cancellation() -> None:
    bench = Bench(FOUR)
    await bench.start(9)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await bench.submit(1)
    assert bench.batcher.statistics().waiting_rows == 0
    assert bench.events[-1] == ItemDropped(DropReason.CANCELLED, 1, 0.0)


async def test_room_is_free_again_at_once() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, max_queue_rows=4))
    await bench.start(9)
    full = bench.submit(1, 2, 3, 4)
    full.cancel()
    assert bench.submit(1, 2, 3, 4)
