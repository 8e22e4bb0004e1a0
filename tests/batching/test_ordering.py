"""Answers in order of arrival."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batching import BatchPolicy, Closed, Item
from batching.testing import settle
from tests.batching.harness import Bench, answer


class Callers:
    """Items with callbacks, in the order in which they are told of."""

    def __init__(self, policy: BatchPolicy, devices: int = 2) -> None:
        self.bench = Bench(policy, devices=devices)
        self.told: list[float | str] = []

    def submit(self, *values: float, **options: Any) -> Item:
        name = values[0]

        def done(item: Item) -> None:
            self.told.append(name if item.error is None else f"{name} failed")

        return self.bench.submit(*values, done=done, **options)


ORDERED = BatchPolicy(max_batch_size=1, preserve_ordering=True)


async def test_answers_in_order_of_arrival() -> None:
    callers = Callers(ORDERED)
    items = [callers.submit(number) for number in range(4)]
    await settle()
    await callers.bench.finish(1)
    await callers.bench.finish(1)
    assert callers.told == []
    await callers.bench.finish(0)
    assert callers.told == [0, 1, 2]
    await callers.bench.finish_all()
    assert callers.told == [0, 1, 2, 3]
    assert [answer(item) for item in items] == [[0], [2], [4], [6]]


async def test_without_being_asked_for_answers_come_as_batches_end() -> None:
    callers = Callers(BatchPolicy(max_batch_size=1))
    for number in range(2):
        callers.submit(number)
    await callers.bench.finish(1)
    assert callers.told == [1]


async def test_nobody_waits_for_one_that_was_given_up() -> None:
    callers = Callers(ORDERED)
    first, second = callers.submit(0), callers.submit(1)
    await callers.bench.finish(1)
    assert callers.told == []
    first.cancel()
    assert callers.told == [1]
    assert second.done()


async def test_failures_are_told_at_once_and_hold_nobody_up() -> None:
    callers = Callers(ORDERED)
    callers.submit(0)
    callers.submit(-1)
    callers.submit(2, deadline=5.0)
    await callers.bench.finish(1)
    assert callers.told == ["-1 failed"]
    await callers.bench.finish(1)
    callers.bench.clock.advance(5.0)
    assert callers.told == ["-1 failed"], "its answer was there before the deadline"
    await callers.bench.finish(0)
    assert callers.told == ["-1 failed", 0, 2]


async def test_futures_in_order_and_what_awaits_them_may_be_cancelled() -> None:
    bench = Bench(ORDERED, devices=2)
    items = [bench.submit(number) for number in range(2)]
    tasks = [asyncio.ensure_future(_awaited(item)) for item in items]
    await settle()
    await bench.finish(1)
    assert not tasks[1].done()
    tasks[0].cancel()
    await settle()
    assert await tasks[1] == [2.0]


async def _awaited(item: Item) -> list[float]:
    return list((await item)["y"].tolist())


async def test_a_callback_that_fails_is_no_matter_of_those_behind_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    callers = Callers(ORDERED)

    def fail(item: Item) -> None:
        raise ValueError("mine")

    callers.bench.submit(0, done=fail)
    callers.submit(1)
    await callers.bench.finish(1)
    await callers.bench.finish(0)
    assert callers.told == [1]
    assert "the callback of a request failed" in caplog.text


async def test_closing_tells_everyone() -> None:
    callers = Callers(ORDERED)
    items = [callers.submit(number) for number in range(3)]
    await callers.bench.finish(1)
    callers.bench.batcher.close()
    assert sorted(callers.told, key=str) == ["0 failed", 1, "2 failed"]
    assert isinstance(items[0].exception(), Closed)


async def test_answers_in_order_of_arrival_although_levels_run_out_of_order() -> None:
    policy = BatchPolicy(
        max_batch_size=1, priority_levels=2, default_priority_level=2, preserve_ordering=True
    )
    callers = Callers(policy, devices=1)
    callers.submit(0)
    await settle()
    callers.submit(1, priority=2)
    callers.submit(2, priority=1)
    await callers.bench.finish_all()
    assert callers.bench.batches == [[0], [2], [1]]
    assert callers.told == [0, 1, 2]
