"""The queue with levels under arbitrary events: nobody lost, nobody doubled, priority never
inverted beyond the stated rule."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from batching import ALONE, BatchPolicy, LevelPolicy, SealedBatch
from batching.priority import PriorityQueue
from tests.batching.ranked import Ranked

requests = st.builds(
    Ranked,
    rows=st.one_of(st.integers(1, 3), st.integers(1, 9)),
    key=st.sampled_from(["k", "k", "l", ALONE]),
    priority=st.integers(1, 3),
    deadline=st.one_of(st.just(math.inf), st.integers(1, 6)),
    queue_deadline=st.one_of(st.just(math.inf), st.integers(1, 4)),
)


class LevelsMachine(RuleBasedStateMachine):
    """A queue with levels beside a plain list of everything that waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waiting: list[Ranked] = []
        self.delayed: list[Ranked] = []
        self.sealed: dict[Ranked, int] = {}
        self.inverted = 0

    @initialize(size=st.integers(1, 5), relief=st.integers(0, 3), delays=st.sets(st.integers(1, 3)))
    def start(self, size: int, relief: int, delays: set[int]) -> None:
        self.delays = delays
        rules = {level: LevelPolicy(queue_timeout_action="delay") for level in delays}
        self.policy = BatchPolicy(
            max_batch_size=size,
            priority_levels=3,
            default_priority_level=2,
            level_policies=rules,
            relief_every=relief,
        )
        self.queue: PriorityQueue[Ranked] = PriorityQueue(self.policy)

    @rule(burst=st.lists(requests, min_size=1, max_size=6))
    def offer(self, burst: list[Ranked]) -> None:
        for entry in burst:
            self.now += 1e-6
            entry.enqueued_at = self.now
            entry.deadline += self.now
            entry.queue_deadline += self.now
            self.sealed[entry] = 0
            self.queue.offer(entry)
        self.waiting += burst

    @rule(seconds=st.integers(1, 3))
    def advance(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.waiting)
    @rule(number=st.integers(0, 40))
    def give_up(self, number: int) -> None:
        entry = self.waiting[number % len(self.waiting)]
        self.queue.discard(entry)
        entry.answered = True
        self._gone([entry])

    @rule()
    def expire(self) -> None:
        late = [e for e, _ in self.sealed.items() if e.deadline <= self.now and not e.done()]
        whole = [e for e in self.waiting if e.taken == 0 and e not in late]
        out = [e for e in whole if e.queue_deadline <= self.now]
        delayed = [e for e in out if e.priority in self.delays]
        rejected = [e for e in out if e.priority not in self.delays]
        delayed.sort(key=lambda e: e.queue_deadline)
        expired = self.queue.expire(self.now)
        assert set(expired) == {*late, *rejected}
        assert len(expired) == len(set(expired)), "nobody ends twice"
        for entry in expired:
            entry.answered = True
        self._gone(expired)
        self.delayed += delayed

    @precondition(lambda self: len(self.waiting) > 12)
    @rule()
    def clear(self) -> None:
        cleared = self.queue.clear()
        assert sorted(cleared, key=id) == sorted(self.waiting, key=id)
        for entry in cleared:
            entry.answered = True
        self._gone(cleared)

    @rule()
    def take(self) -> None:
        before = list(self.waiting)
        parts = {entry: entry.taken for entry in before}
        batch = self.queue.take(self.now, flush=True)
        assert (batch is None) == (not before)
        if batch is not None:
            self._check_rows(batch, parts)
            self._check_order(batch, before)
            self._gone(e for e, _, stop in batch.slices if stop == e.rows)

    def _check_rows(self, batch: SealedBatch[Ranked], parts: dict[Ranked, int]) -> None:
        entries = [entry for entry, _, _ in batch.slices]
        assert len({entry.key for entry in entries}) == 1
        assert len(set(entries)) == len(entries)
        for entry, start, stop in batch.slices:
            assert start == parts[entry] == self.sealed[entry], "rows are sealed once, in order"
            self.sealed[entry] = stop
        assert batch.rows <= self.policy.max_batch_size or entries[0].key is ALONE

    def _check_order(self, batch: SealedBatch[Ranked], before: list[Ranked]) -> None:
        leader = batch.slices[0][0]
        best = min(before, key=self._turn)
        oldest = before[0]
        by_age = 0 < self.policy.relief_every <= self.inverted
        assert leader is (oldest if by_age else best)
        mates = [entry for entry in before if entry.key == leader.key]
        if not by_age:
            mates.sort(key=self._turn)
        taken = [entry for entry, _, _ in batch.slices]
        assert taken == mates[: len(taken)], "nobody is passed over by one of a lower level"
        left = [entry for entry in before if entry not in taken or entry.queued]
        passed_over = bool(left) and self._turn(left[0])[0] > self._turn(leader)[0]
        older = bool(left) and left[0].enqueued_at < leader.enqueued_at
        self.inverted = self.inverted + 1 if passed_over and older else 0

    def _turn(self, entry: Ranked) -> tuple[int, int]:
        """Place in the order of service."""
        late = entry in self.delayed
        place = self.delayed.index(entry) if late else self.waiting.index(entry)
        return 2 * entry.priority + late, place

    def _gone(self, entries: Any) -> None:
        leaving = set(entries)
        self.waiting = [entry for entry in self.waiting if entry not in leaving]

    @invariant()
    def counters_are_true(self) -> None:
        if hasattr(self, "queue"):
            assert self.queue.items == len(self.waiting)
            assert self.queue.rows == sum(entry.rows - entry.taken for entry in self.waiting)
            assert set(self.queue.waiting()) == set(self.waiting)
            for level in (1, 2, 3):
                of_level = [entry for entry in self.waiting if entry.priority == level]
                assert self.queue.waiting_at(level) == len(of_level)

    @invariant()
    def no_time_out_is_slept_through(self) -> None:
        if hasattr(self, "queue"):
            times = [e.queue_deadline for e in self.waiting if e.taken == 0]
            assert self.queue.next_wakeup(self.now) <= min(times, default=math.inf)

    def teardown(self) -> None:
        """Whatever still waits is sealed in the end, to the last row."""
        rest = list(self.waiting)
        while self.waiting:
            self.take()
        assert all(self.sealed[entry] == entry.rows for entry in rest)


TestLevelsMachine = LevelsMachine.TestCase
TestLevelsMachine.settings = settings(stateful_step_count=50)
