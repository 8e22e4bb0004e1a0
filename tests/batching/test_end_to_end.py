"""A batcher through arbitrary lives: every item has one outcome, and it is its own."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batching import (
    BatchDone,
    BatchFailed,
    BatchPolicy,
    BatchReleased,
    Closed,
    DeadlineExceeded,
    Item,
    ItemDropped,
    ItemTooLarge,
    Outputs,
    QueueFull,
)
from batching.testing import ScriptedJob, settle
from tests.batching.harness import Arrays, Bench, Culprit, double


@dataclass
class Submit:
    rows: int
    dtype: str
    poisoned: bool
    time_left: float


@dataclass
class Do:
    what: Literal["cancel", "settle", "advance", "run", "finish", "fail", "drain", "close"]
    number: int = 0


@st.composite
def policies(draw: st.DrawFn) -> BatchPolicy:
    size = draw(st.integers(1, 5))
    return BatchPolicy(
        enabled=draw(st.sampled_from([True, True, True, False])),
        max_batch_size=size,
        batch_timeout=draw(st.sampled_from([0.0, 0.0, 2.0])),
        max_queue_rows=draw(st.sampled_from([size, 20, 1000])),
        queue_budget=draw(st.sampled_from([math.inf, 3.0])),
        allowed_batch_sizes=draw(st.sampled_from([(), tuple({(size + 1) // 2, size})]).map(sort)),
        split=draw(st.booleans()),
        isolate=draw(st.sampled_from([True, True, False])),
    )


def sort(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(sizes))


submits = st.builds(
    Submit,
    st.one_of(st.integers(1, 3), st.integers(1, 12)),
    st.sampled_from(["f4", "f4", "f8"]),
    st.sampled_from([False, False, False, True]),
    st.one_of(st.just(math.inf), st.integers(1, 6)),
)
usual = ["settle", "settle", "finish", "finish", "finish", "run", "advance", "cancel"]
steps = st.builds(Do, st.sampled_from([*usual * 3, "fail"]), st.integers(0, 30))
ends = st.builds(Do, st.sampled_from(["drain", "drain", "close"]))
events = st.one_of(submits, submits, steps)
stories = st.one_of(st.lists(events, max_size=20), st.lists(events, min_size=30, max_size=90))
lives = st.tuples(stories, ends)


class Life:
    """A batcher and what was done to it."""

    def __init__(self, policy: BatchPolicy, devices: int) -> None:
        self.bench = Bench(policy, self._run, devices=devices)
        self.batcher = self.bench.batcher
        self.items: list[tuple[Item, list[float], float]] = []
        self.owner: dict[float, Item] = {}
        self.cancelled: set[Item] = set()
        self.ran: set[ScriptedJob] = set()
        self.run_in_vain: list[float] = []
        self.refused = self.failures = 0
        self.closed = False

    def _run(self, inputs: Arrays) -> Outputs:
        values = inputs["x"].tolist()
        self.run_in_vain += [value for value in values if self.owner[value].done()]
        return double(inputs)

    def submit(self, step: Submit) -> None:
        first = len(self.owner) + 1
        values = [float(value) for value in range(first, first + step.rows)]
        if step.poisoned:
            values[step.rows // 2] *= -1
        deadline = self.bench.clock.now() + step.time_left
        try:
            inputs = {"x": np.array(values, step.dtype)}
            item = self.batcher.submit(inputs, deadline=deadline)
        except (QueueFull, ItemTooLarge):
            self.refused += 1
            return
        self.items.append((item, values, deadline))
        self.owner.update(dict.fromkeys(values, item))

    async def do(self, step: Do) -> None:
        if step.what == "settle":
            await settle()
        elif step.what == "advance":
            self.bench.clock.advance(step.number % 4)
        elif step.what == "cancel" and self.items:
            item = self.items[step.number % len(self.items)][0]
            if item.cancel():
                self.cancelled.add(item)
        elif step.what in ("run", "finish", "fail"):
            self.device(step)

    def device(self, step: Do) -> None:
        executors = self.bench.executors
        executor = executors[step.number % len(executors)]
        if not executor.running:
            return
        if step.what == "fail":
            self.failures += 1
            executor.fail(RuntimeError("device lost"))
        elif step.what == "run":
            job = executor.running[0]
            if job not in self.ran:
                self.ran.add(job)
                job.run()
        else:
            executor.finish()

    async def end(self, step: Do) -> None:
        if step.what == "close":
            self.closed = True
            self.batcher.close()
            assert all(item.done() for item, _, _ in self.items)
            await self.bench.finish_all()
            return
        drain = asyncio.create_task(self.batcher.drain())
        await self.bench.finish_all()
        assert drain.done()

    def check(self) -> None:
        for item, values, deadline in self.items:
            self.check_outcome(item, values, deadline)
        assert not self.run_in_vain
        self.check_statistics()
        self.check_events()

    def check_outcome(self, item: Item, values: list[float], deadline: float) -> None:
        assert item.done()
        if item.cancelled():
            assert item in self.cancelled
            return
        match item.exception():
            case None:
                output = item.result()["y"]
                assert output.tolist() == [2 * value for value in values]
            case Culprit(args=blamed):
                assert blamed == tuple(value for value in values if value < 0)
            case BatchFailed():
                assert self.failures or not self.batcher.policy.isolate
            case DeadlineExceeded():
                assert deadline <= self.bench.clock.now()
            case Closed():
                assert self.closed
            case other:
                raise AssertionError(other)

    def check_statistics(self) -> None:
        stats = self.batcher.statistics()
        outcomes = stats.answered + stats.failed + stats.cancelled + stats.expired
        assert stats.submitted == len(self.items) == outcomes
        assert stats.rejected == self.refused
        assert stats.cancelled == sum(item.cancelled() for item, _, _ in self.items)
        assert stats.answered == sum(not bad(item) for item, _, _ in self.items)
        assert stats.expired == self.count(DeadlineExceeded)
        assert (stats.waiting_items, stats.waiting_rows, stats.running_batches) == (0, 0, 0)

    def check_events(self) -> None:
        events = self.bench.events
        kinds = Counter(type(event) for event in events)
        assert kinds[BatchReleased] == kinds[BatchDone] + self.failures
        dropped = Counter(event.reason.value for event in events if isinstance(event, ItemDropped))
        assert dropped["cancelled"] == len(self.cancelled)
        assert dropped["expired"] == self.count(DeadlineExceeded)
        assert dropped["closed"] == self.count(Closed)
        assert dropped["full"] + dropped["overload"] + dropped["too_large"] == self.refused

    def count(self, kind: type[Exception]) -> int:
        outcomes = (i.exception() for i, _, _ in self.items if not i.cancelled())
        return sum(isinstance(outcome, kind) for outcome in outcomes)


def bad(item: Item) -> bool:
    return item.cancelled() or item.exception() is not None


@given(policies(), st.integers(1, 3), lives)
async def test_every_item_has_one_outcome_and_it_is_its_own(
    policy: BatchPolicy, devices: int, life: tuple[list[Any], Do]
) -> None:
    story = Life(policy, devices)
    for step in life[0]:
        if isinstance(step, Submit):
            story.submit(step)
        else:
            await story.do(step)
    await story.end(life[1])
    story.check()


@given(policies(), st.integers(1, 3), lives)
async def test_no_row_runs_twice_while_nothing_fails(
    policy: BatchPolicy, devices: int, life: tuple[list[Any], Do]
) -> None:
    story = Life(policy, devices)
    for step in life[0]:
        if isinstance(step, Submit):
            step.poisoned = False
            story.submit(step)
        else:
            await story.do(step)
    await story.end(life[1])
    # Rows that fill a batch up to an allowed size repeat its last one.
    runs = Counter(value for batch in story.bench.batches for value in dict.fromkeys(batch))
    assert not runs or max(runs.values()) == 1
