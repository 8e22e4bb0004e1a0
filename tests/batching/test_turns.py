"""Priority levels, queue time-outs and order of answers, through the batcher."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from batching import BatchPolicy, Closed, Item, LevelPolicy, QueueFull, QueueTimeout
from batching.levels import LevelPolicy as Rules
from batching.testing import settle
from tests.batching.harness import Bench, answer

TWO_LEVELS = BatchPolicy(max_batch_size=2, priority_levels=2, default_priority_level=2)


def rejecting(**rules: Any) -> BatchPolicy:
    return BatchPolicy(max_batch_size=2, **rules)


async def test_higher_levels_run_first() -> None:
    bench = Bench(TWO_LEVELS)
    await bench.start(0)
    for value, priority in ((1, 2), (2, 0), (3, 1), (4, 99), (5, 1)):
        bench.submit(value, priority=priority)
    await bench.finish_all()
    assert bench.batches == [[0], [3, 5], [1, 2], [4]]


async def test_priorities_mean_nothing_without_levels() -> None:
    bench = Bench(BatchPolicy(max_batch_size=2))
    await bench.start(0)
    for value, priority in ((1, 2), (2, 1), (3, 1)):
        bench.submit(value, priority=priority, queue_timeout=0.1)
    bench.clock.advance(5.0)
    await bench.finish_all()
    assert bench.batches == [[0], [1, 2], [3]]


async def test_a_time_out_is_told_at_once_although_no_device_is_free() -> None:
    bench = Bench(rejecting(queue_timeout=0.2))
    running = await bench.start(0)
    late = bench.submit(1)
    bench.clock.advance(0.1)
    later = bench.submit(2)
    bench.clock.advance(0.099)
    assert not late.done()
    bench.clock.advance(0.001)
    error = late.exception()
    assert isinstance(error, QueueTimeout)
    assert str(error) == "no device was free within the queue time-out of 200 ms"
    assert not later.done()
    assert not running.done(), "its run is not cut short"
    await bench.finish_all()
    assert answer(later) == [4]
    assert bench.batches == [[0], [2]]
    stats = bench.batcher.statistics()
    assert (stats.expired, stats.waiting_items) == (1, 0)


async def test_delayed_requests_run_behind_the_others() -> None:
    bench = Bench(rejecting(queue_timeout=0.2, queue_timeout_action="delay"))
    await bench.start(0)
    for value in (1, 2, 3):
        bench.submit(value)
    bench.clock.advance(0.2)
    for value in (4, 5, 6):
        bench.submit(value)
    await bench.finish_all()
    assert bench.batches == [[0], [4, 5], [6, 1], [2, 3]]


@pytest.mark.parametrize(
    ("rules", "asked", "expected"),
    [
        (Rules(), None, math.inf),
        (Rules(), 0.5, math.inf),
        (Rules(2.0), None, 2.0),
        (Rules(2.0), 0.5, 2.0),
        (Rules(2.0, allow_timeout_override=True), 0.5, 0.5),
        (Rules(2.0, allow_timeout_override=True), 5.0, 2.0),
        (Rules(2.0, allow_timeout_override=True), 0.0, 2.0),
        (Rules(2.0, allow_timeout_override=True), None, 2.0),
        (Rules(allow_timeout_override=True), 0.5, 0.5),
    ],
)
def test_a_request_may_shorten_its_time_out(
    rules: Rules, asked: float | None, expected: float
) -> None:
    assert rules.queue_deadline(10.0, asked) == 10.0 + expected


async def test_a_request_s_own_time_out() -> None:
    bench = Bench(rejecting(allow_timeout_override=True))
    await bench.start(0)
    impatient, patient = bench.submit(1, queue_timeout=0.05), bench.submit(2)
    bench.clock.advance(0.05)
    assert isinstance(impatient.exception(), QueueTimeout)
    assert not patient.done()


async def test_levels_have_bounds_of_their_own() -> None:
    bounded = LevelPolicy(max_queue_size=2)
    policy = BatchPolicy(
        max_batch_size=8,
        priority_levels=2,
        default_priority_level=2,
        level_policies={2: bounded},
    )
    bench = Bench(policy)
    await bench.start(0)
    waiting = [bench.submit(1, 1, 1), bench.submit(2)]
    with pytest.raises(QueueFull, match="2 requests of priority 2 wait already; at most 2 may"):
        bench.submit(3)
    assert bench.submit(4, priority=1)
    waiting[0].cancel()
    bench.submit(5)
    assert bench.batcher.statistics().rejected == 1
    await bench.finish_all()
    assert bench.batches == [[0], [4, 2, 5]]


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


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"priority_levels": -1}, "priority_levels must not be negative: -1"),
        ({"priority_levels": 2}, "default_priority_level must be within 1 and 2: 0"),
        ({"default_priority_level": 1}, "default_priority_level must be within 0 and 0: 1"),
        (
            {"priority_levels": 1, "default_priority_level": 1, "level_policies": {2: Rules()}},
            r"level_policies names levels \[2\]; there are 1",
        ),
        ({"relief_every": -1}, "relief_every must not be negative: -1"),
        ({"queue_timeout": -1.0}, "queue_timeout must be 0 or more: -1.0"),
        ({"queue_timeout": math.inf}, "queue_timeout must be 0 or more: inf"),
        ({"queue_timeout_action": "drop"}, "queue_timeout_action must not be 'drop'"),
    ],
)
def test_contradictions_are_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchPolicy(**rules)


def test_a_level_s_bound_is_not_negative() -> None:
    with pytest.raises(ValueError, match="max_queue_size must not be negative: -1"):
        LevelPolicy(max_queue_size=-1)
