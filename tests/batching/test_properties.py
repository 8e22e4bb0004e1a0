"""The queue under arbitrary events: nobody lost, nobody doubled, no rule broken."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from batching import ALONE, BatchPolicy, BatchQueue, Padding, PadInput, SealedBatch
from tests.batching.entries import Entry
from tests.batching.sealing_rules import check_by_length, check_in_order

KEYS = ["k", "k", "l", ALONE]


@st.composite
def policies(draw: st.DrawFn) -> BatchPolicy:
    padding = None
    if draw(st.booleans()):
        patience = draw(st.integers(0, 4))
        padding = Padding({"x": PadInput()}, patience=patience)
    return BatchPolicy(
        enabled=draw(st.sampled_from([True, True, True, False])),
        max_batch_size=draw(st.integers(1, 6)),
        batch_timeout=draw(st.sampled_from([0.0, 0.0, 2.0])),
        padding=padding,
    )


requests = st.builds(
    Entry,
    rows=st.one_of(st.integers(1, 3), st.integers(1, 15)),
    key=st.sampled_from(KEYS),
    deadline=st.one_of(st.just(math.inf), st.integers(1, 6)),
    length=st.integers(1, 12),
)


class QueueMachine(RuleBasedStateMachine):
    """A queue beside a plain list of everything that waits."""

    entries: Bundle[Entry] = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waiting: list[Entry] = []
        self.sealed: dict[Entry, int] = defaultdict(int)
        self.watched: list[Entry] = []

    @initialize(policy=policies())
    def start(self, policy: BatchPolicy) -> None:
        self.policy = policy
        self.queue: BatchQueue[Entry] = BatchQueue(policy)
        self.single = not policy.enabled

    # What happens to it.

    @rule(target=entries, burst=st.lists(requests, min_size=1, max_size=6))
    def offer(self, burst: list[Entry]) -> MultipleResults[Entry]:
        for entry in burst:
            entry.enqueued_at = self.now
            entry.deadline += self.now
            self.sealed[entry] = 0
            self.queue.offer(entry)
        self.waiting += burst
        self.watched += burst
        return multiple(*burst)

    @rule(seconds=st.integers(1, 3))
    def advance(self, seconds: int) -> None:
        self.now += seconds

    @rule(entry=entries)
    def discard(self, entry: Entry) -> None:
        self.queue.discard(entry)
        entry.answered = True
        self._forget([entry])

    @precondition(lambda self: self.waiting)
    @rule(number=st.integers(0, 40))
    def give_up(self, number: int) -> None:
        self.discard(self.waiting[number % len(self.waiting)])

    @rule()
    def expire(self) -> None:
        due = [e for e in self.watched if e.deadline <= self.now and not e.done()]
        expired = self.queue.expire(self.now)
        assert sorted(expired, key=id) == sorted(due, key=id)
        assert [e.deadline for e in expired] == sorted(e.deadline for e in expired)
        for entry in expired:
            entry.answered = True
        self._forget(expired)

    @rule()
    def answer(self) -> None:
        """The batch of the oldest running entry comes back."""
        running = [e for e, sealed in self.sealed.items() if sealed == e.rows and not e.done()]
        for entry in running[:1]:
            entry.answered = True

    @precondition(lambda self: not self.single and len(self.sealed) > 20)
    @rule()
    def run_singly(self) -> None:
        self.queue.run_singly()
        self.single = True

    @precondition(lambda self: len(self.waiting) > 12)
    @rule()
    def clear(self) -> None:
        cleared = self.queue.clear()
        assert sorted(cleared, key=id) == sorted(self.waiting, key=id)
        for entry in cleared:
            entry.answered = True
        self._forget(cleared)

    @rule(flush=st.booleans())
    def take(self, flush: bool) -> None:
        due = [lane for lane in self._lanes() if flush or self._may_go(lane)]
        before = {entry: entry.taken for entry in self.waiting}
        batch = self.queue.take(self.now, flush=flush)
        if batch is None:
            assert not due
            return
        lane = next(lane for lane in due if batch.slices[0][0] in lane)
        assert lane[0].enqueued_at == min(lane[0].enqueued_at for lane in due)
        self._check_sealed(batch, lane, before)
        self._forget(entry for entry, _, stop in batch.slices if stop == entry.rows)

    # What must hold.

    def _check_sealed(
        self, batch: SealedBatch[Entry], lane: list[Entry], before: dict[Entry, int]
    ) -> None:
        entries = [entry for entry, _, _ in batch.slices]
        assert len(set(entries)) == len(entries)
        assert set(entries) <= set(lane), "keys are never mixed"
        for entry, start, stop in batch.slices:
            assert start == before[entry] == self.sealed[entry], "rows are sealed once, in order"
            assert start < stop <= entry.rows
            self.sealed[entry] = stop
        assert batch.rows == sum(stop - start for _, start, stop in batch.slices)
        assert batch.sealed_at == self.now
        assert batch.oldest_enqueued_at == min(entry.enqueued_at for entry in entries)
        if self._is_single(lane[0]):
            assert len(entries) == 1
            assert self.sealed[entries[0]] == entries[0].rows
            return
        assert batch.rows <= self.policy.max_batch_size
        if self.policy.padding is None:
            check_in_order(self.policy, batch, lane, before)
        else:
            check_by_length(self.policy, batch, lane, before, self.now)

    def _may_go(self, lane: list[Entry]) -> bool:
        timeout = self.policy.batch_timeout
        return (
            timeout == 0
            or self._is_single(lane[0])
            or sum(e.rows - e.taken for e in lane) >= self.policy.max_batch_size
            or lane[0].enqueued_at + timeout <= self.now
        )

    def _is_single(self, entry: Entry) -> bool:
        return self.single or entry.key is ALONE

    def _lanes(self) -> list[list[Entry]]:
        lanes: dict[Any, list[Entry]] = defaultdict(list)
        for entry in self.waiting:
            lanes[entry.key].append(entry)
        return list(lanes.values())

    def _forget(self, gone: Any) -> None:
        leaving = set(gone)
        self.waiting = [entry for entry in self.waiting if entry not in leaving]

    @invariant()
    def counters_are_true(self) -> None:
        assert self.queue.items == len(self.waiting)
        assert self.queue.rows == sum(entry.rows - entry.taken for entry in self.waiting)
        assert set(self.queue.waiting()) == set(self.waiting)
        assert all(entry.taken == rows for entry, rows in self.sealed.items())
        for lane in self.queue._lanes.values():
            assert lane.dead == sum(not entry.queued for entry in lane.entries)

    @invariant()
    def nothing_is_slept_through(self) -> None:
        times = [entry.deadline for entry in self.watched if not entry.done()]
        timeout = self.policy.batch_timeout
        times += [lane[0].enqueued_at + timeout for lane in self._lanes() if not self._may_go(lane)]
        assert self.queue.next_wakeup(self.now) <= min(times, default=math.inf)

    def teardown(self) -> None:
        """Whatever still waits is sealed in the end, to the last row."""
        rest = list(self.waiting)
        while self.waiting:
            self.take(flush=True)
        assert self.queue.take(self.now, flush=True) is None
        assert all(self.sealed[entry] == entry.rows for entry in rest)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(stateful_step_count=60)
