"""The clocks: a loop's, which must never call early, and the one that tests move by hand."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from batching import Batcher, BatchPolicy, DevicePool, InlineExecutor, LoopClock
from batching.testing import ManualClock, ScriptedExecutor, settle
from tests.batching.harness import answer, double, rows

TIMERS = 40


async def calls_late_in_a_turn(turn_seconds: float) -> list[tuple[float, float]]:
    """When each of some timers was due and when it was called. They are set in a turn of the loop
    that has lasted for a while: some loops count from its beginning."""
    clock = LoopClock(asyncio.get_running_loop())
    calls: list[tuple[float, float]] = []
    called = asyncio.Event()

    def call(due: float) -> None:
        calls.append((due, clock.now()))
        if len(calls) == TIMERS:
            called.set()

    turn_ends = clock.now() + turn_seconds
    while clock.now() < turn_ends:
        pass
    for number in range(TIMERS):
        due = turn_ends + number * 0.00037
        clock.call_at(due, partial(call, due))
    await asyncio.wait_for(called.wait(), 10.0)
    return calls


@pytest.mark.parametrize("turn_seconds", [0.0, 0.01])
@pytest.mark.parametrize("module", ["asyncio", "uvloop"])
def test_no_timer_fires_early(module: str, turn_seconds: float) -> None:
    factory = pytest.importorskip(module).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        calls = runner.run(calls_late_in_a_turn(turn_seconds))
    assert len(calls) == TIMERS
    assert [due for due, called in calls if called < due] == []


async def test_a_timer_may_be_taken_back() -> None:
    clock = LoopClock(asyncio.get_running_loop())
    calls: list[str] = []
    later = asyncio.Event()
    clock.call_at(clock.now(), lambda: calls.append("cancelled")).cancel()
    clock.call_at(clock.now() + 0.002, later.set)
    await asyncio.wait_for(later.wait(), 10.0)
    assert calls == []


async def test_batch_timeout_by_the_loop_s_own_clock() -> None:
    policy = BatchPolicy(max_batch_size=4, batch_timeout=0.005)
    batcher = Batcher(double, DevicePool([InlineExecutor()]), policy)
    item = batcher.submit(rows(2))
    await asyncio.wait_for(item, 10.0)
    assert answer(item) == [4]
    assert item.queue_seconds >= 0.005


def test_a_manual_clock_stops_at_each_timer_on_its_way() -> None:
    clock = ManualClock(10.0)
    calls: list[tuple[str, float]] = []

    def call(name: str) -> None:
        calls.append((name, clock.now()))

    for name, when in (("c", 13.0), ("a", 11.0), ("b", 12.0), ("late", 99.0)):
        clock.call_at(when, partial(call, name))
    clock.call_at(12.5, partial(call, "never")).cancel()
    assert clock.timers == [11.0, 12.0, 13.0, 99.0]
    clock.advance(2.0)
    assert calls == [("a", 11.0), ("b", 12.0)]
    clock.advance(5.0)
    assert calls[2:] == [("c", 13.0)]
    assert clock.now() == 17.0
    assert clock.timers == [99.0]


def test_a_manual_clock_s_timer_may_set_another() -> None:
    clock = ManualClock()
    calls: list[float] = []

    def again() -> None:
        calls.append(clock.now())
        clock.call_at(clock.now() + 1.0, again)

    clock.call_at(1.0, again)
    clock.advance(3.5)
    assert calls == [1.0, 2.0, 3.0]


async def test_a_scripted_executor_does_what_it_is_told() -> None:
    executor = ScriptedExecutor("s")
    ran: list[int] = []
    reports: list[tuple[object, object]] = []

    def job() -> int:
        ran.append(1)
        return 7

    executor.execute(job, lambda result, error: reports.append((result, error)))
    with pytest.raises(AssertionError, match="while it has one"):
        executor.execute(job, lambda result, error: None)
    await settle()
    assert ran == []
    executor.running[0].run()
    assert (ran, reports) == ([1], [])
    executor.finish()
    assert (ran, reports) == ([1], [(7, None)])
    error = RuntimeError()
    executor.execute(job, lambda result, raised: reports.append((result, raised)))
    executor.fail(error)
    assert (ran, reports[1:]) == ([1], [(None, error)])
