"""Batchers on common executors."""

from __future__ import annotations

from typing import Any

import pytest

from batching import Batcher, BatchPolicy, DevicePool
from batching.pool import IN_USE_SECONDS
from batching.testing import ScriptedExecutor, settle
from tests.batching.harness import Arrays, Bench, StrictClock, answer, double, rows

ONE = BatchPolicy(max_batch_size=1)


class Shared:
    """Two executors for several batchers."""

    def __init__(self) -> None:
        self.clock = StrictClock(100.0)
        self.executors = [ScriptedExecutor("e0"), ScriptedExecutor("e1")]
        self.pool = DevicePool(self.executors, clock=self.clock)

    def batcher(self, **options: Any) -> Batcher:
        return Batcher(double, self.pool, ONE, clock=self.clock, **options)

    @property
    def running(self) -> list[bool]:
        return [bool(executor.running) for executor in self.executors]


async def test_two_executors_are_busy_at_once() -> None:
    bench = Bench(ONE, devices=2)
    items = [bench.submit(n) for n in (1, 2, 3)]
    await settle()
    assert bench.running == 2
    assert bench.batcher.statistics().running_batches == 2
    await bench.finish(1)
    assert [item.done() for item in items] == [False, True, False]
    assert bench.running == 2
    await bench.finish(1)
    await bench.finish(0)
    assert [answer(item) for item in items] == [[2], [4], [6]]


async def test_a_split_item_runs_on_two_executors_and_comes_together_in_order() -> None:
    for order in ((0, 1), (1, 0)):
        bench = Bench(BatchPolicy(max_batch_size=2), devices=2)
        item = bench.submit(1, 2, 3, 4)
        await settle()
        await bench.finish(order[0])
        assert not item.done()
        await bench.finish(order[1])
        assert answer(item) == [2, 4, 6, 8]


async def test_a_function_for_each_executor() -> None:
    def negated(inputs: Arrays) -> Arrays:
        return {"y": -inputs["x"]}

    bench = Bench(ONE, devices=2, run_on={"e1": negated})
    items = [bench.submit(n) for n in (1, 2)]
    await bench.finish(0)
    await bench.finish(1)
    assert [answer(item) for item in items] == [[2], [-2]]
    assert [item.timing.executor for item in items if item.timing] == ["e0", "e1"]


async def test_a_batcher_keeps_to_its_executors() -> None:
    bench = Bench(ONE, devices=2, executors=("e1",))
    items = [bench.submit(n) for n in (1, 2)]
    await settle()
    assert [len(executor.running) for executor in bench.executors] == [0, 1]
    await bench.finish(1)
    await bench.finish(1)
    assert [answer(item) for item in items] == [[2], [4]]


async def test_a_closed_batcher_leaves_the_executors_to_the_others() -> None:
    shared = Shared()
    gone, stays = shared.batcher(), shared.batcher()
    lost = [gone.submit(rows(n)) for n in range(4)]
    await settle()
    item = stays.submit(rows(5))
    gone.close()
    for executor in shared.executors:
        executor.finish()
    await settle()
    for executor in shared.executors:
        if executor.running:
            executor.finish()
    await settle()
    assert answer(item) == [10]
    assert all(dropped.exception() for dropped in lost)


async def test_nothing_is_kept_free_for_a_closed_batcher() -> None:
    shared = Shared()
    slow, gone = shared.batcher(), shared.batcher()
    gone.submit(rows(1))
    await settle()
    shared.executors[0].finish()
    gone.close()
    for n in (2, 3):
        slow.submit(rows(n))
    await settle()
    assert shared.running == [True, True]


async def test_an_executor_that_was_kept_free_is_given_once_the_others_are_out_of_use() -> None:
    shared = Shared()
    slow, other = shared.batcher(), shared.batcher()
    other.submit(rows(1))
    await settle()
    shared.executors[0].finish()
    await settle()
    for n in (2, 3):
        slow.submit(rows(n))
    await settle()
    assert sum(shared.running) == 1
    # The one that runs hangs, so nothing but a new request can bring the other to notice.
    shared.clock.advance(IN_USE_SECONDS)
    slow.submit(rows(4))
    await settle()
    assert sum(shared.running) == 2


@pytest.mark.parametrize("name", ["e0", "e1"])
async def test_a_hung_executor_leaves_the_others_at_work(name: str) -> None:
    bench = Bench(ONE, devices=2)
    items = [bench.submit(n) for n in range(1, 6)]
    await settle()
    at_work = 1 if name == "e0" else 0
    for _ in range(4):
        await bench.finish(at_work)
    assert sum(item.done() for item in items) == 4
