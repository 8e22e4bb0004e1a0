"""Priority levels, queue time-outs and order of answers, through the batcher."""

from __future__ import annotations

import math
from typing import Any

import pytest

from batching import BatchPolicy, LevelPolicy, QueueFull, QueueTimeout
from batching.levels import LevelPolicy as Rules
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
