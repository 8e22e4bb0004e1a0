"""A queue of several priority levels, with time-outs of waiting.

Order of service: the first level's requests in order of arrival, then those of it that were delayed
(see ``LevelPolicy``), then the second level's and so on. A batch is led by the first in this order,
and joined by whoever may share its run, in the same order; where items are padded, by those whose
lengths go with it.

Against starvation: once ``BatchPolicy.relief_every`` batches in a row went ahead of an older
request of a lower level, the next batch takes requests in order of arrival.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Generic, Protocol, TypeVar

from batching.forming import take_slices
from batching.lane import Entry, Lane, Slice
from batching.lengths import WINDOW_ROWS
from batching.policy import BatchPolicy
from batching.queue import BatchQueue, SealedBatch
from batching.sizing import Limit

_FEWEST_TO_COMPACT = 256


class RankedEntry(Entry, Protocol):
    """An entry with a level, from 1, and the second until when it may wait. ``rank``, its level's
    place in the order of service, is the queue's."""

    priority: int
    queue_deadline: float
    rank: int


R = TypeVar("R", bound=RankedEntry)


class RankedLane(Lane[R]):
    """A lane whose entries can be had in order of service as well."""

    __slots__ = ("_ranks",)

    def __init__(self, single: bool, levels: int) -> None:
        super().__init__(single)
        self._ranks: list[deque[R]] = [deque() for _ in range(2 * levels)]

    def rank(self, entry: R) -> None:
        """Put an entry of the lane behind those of its rank. It leaves the rank it had."""
        if len(self._ranks[entry.rank]) > 2 * self.rows + _FEWEST_TO_COMPACT:
            self._forget()
        self._ranks[entry.rank].append(entry)

    def first(self) -> R:
        """The entry that is served first. The lane must have waiting rows."""
        for rank, entries in enumerate(self._ranks):
            while entries and not _stands(entries[0], rank):
                entries.popleft()
            if entries:
                return entries[0]
        raise AssertionError("no entry waits")

    def in_order(self, rows: int, *, by_age: bool) -> list[R]:
        """The first entries in order of service, or of arrival, that have ``rows`` rows."""
        found: list[R] = []
        for entry in self._by_age() if by_age else self._by_rank():
            found.append(entry)
            rows -= entry.rows - entry.taken
            if rows <= 0:
                break
        return found

    def compact(self) -> None:
        before = len(self.entries)
        super().compact()
        if len(self.entries) < before:
            self._forget()

    def _forget(self) -> None:
        for rank, entries in enumerate(self._ranks):
            self._ranks[rank] = deque(entry for entry in entries if _stands(entry, rank))

    def _by_age(self) -> Iterable[R]:
        return (entry for entry in self.entries if entry.queued)

    def _by_rank(self) -> Iterable[R]:
        for rank, entries in enumerate(self._ranks):
            yield from (entry for entry in entries if _stands(entry, rank))


class PriorityQueue(BatchQueue[R]):
    """Waiting entries of several levels."""

    def __init__(self, policy: BatchPolicy) -> None:
        super().__init__(policy)
        levels = max(1, policy.priority_levels)
        self._make_lane = partial(RankedLane, levels=levels)
        self._rules = [policy.of_level(level + 1) for level in range(levels)]
        self._waiting = [0] * levels
        self._timeouts: _Timeouts[R] = _Timeouts()
        self._overtaken = 0
        """Batches in a row that went ahead of an older entry of a lower level."""

    def waiting_at(self, level: int) -> int:
        """How many entries of a level wait."""
        return self._waiting[level - 1]

    def offer(self, entry: R) -> None:
        entry.rank = 2 * (entry.priority - 1)
        super().offer(entry)
        self._ranked(entry.key).rank(entry)
        self._waiting[entry.priority - 1] += 1
        if entry.queue_deadline != math.inf:
            self._timeouts.add(entry)

    def take(
        self, now: float, *, flush: bool = False, limit: Limit | None = None
    ) -> SealedBatch[R] | None:
        batch = super().take(now, flush=flush, limit=limit)
        if batch is not None:
            for entry, _, _ in batch.slices:
                if not entry.queued:
                    self._waiting[entry.priority - 1] -= 1
            self._overtaken = self._overtaken + 1 if self._overtook(batch.slices[0][0]) else 0
            batch.oldest_enqueued_at = min(entry.enqueued_at for entry, _, _ in batch.slices)
        return batch

    def expire(self, now: float) -> list[R]:
        """Entries whose deadline has come, then those whose queue time-out has and that are not to
        wait on; see ``BatchQueue.expire``."""
        expired = super().expire(now)
        for entry in self._timeouts.come(now):
            if self._rules[entry.priority - 1].queue_timeout_action == "delay":
                entry.rank += 1
                entry.queue_deadline = math.inf
                self._ranked(entry.key).rank(entry)
            else:
                self.discard(entry)
                expired.append(entry)
        return expired

    def next_wakeup(self, now: float) -> float:
        return min(super().next_wakeup(now), self._timeouts.next())

    def discard(self, entry: R) -> None:
        if entry.queued:
            self._waiting[entry.priority - 1] -= 1
        super().discard(entry)

    def clear(self) -> list[R]:
        self._waiting = [0] * len(self._waiting)
        return super().clear()

    def _ranked(self, key: object) -> RankedLane[R]:
        lane = self._lanes[key]
        assert isinstance(lane, RankedLane)
        return lane

    @property
    def _by_age(self) -> bool:
        relief = self._policy.relief_every
        return relief > 0 and self._overtaken >= relief

    def _precedence(self, lane: Lane[R]) -> tuple[float, float]:
        if self._by_age:
            return 0, lane.head().enqueued_at
        assert isinstance(lane, RankedLane)
        first = lane.first()
        return first.rank, first.enqueued_at

    def _form(self, lane: Lane[R], limit: Limit, now: float) -> list[Slice[R]]:
        assert isinstance(lane, RankedLane)
        rows = limit.rows if self._policy.padding is None else max(limit.rows, WINDOW_ROWS)
        view: Lane[R] = Lane(lane.single)
        view.entries.extend(lane.in_order(rows, by_age=self._by_age))
        view.rows = lane.rows
        slices = take_slices(view, self._policy, limit, now)
        lane.rows = view.rows
        lane.dead += sum(not entry.queued for entry, _, _ in slices)
        if lane.rows:
            lane.compact()
        return slices

    def _overtook(self, leader: R) -> bool:
        """Whether an older entry of a lower level waits on."""
        oldest = min(
            (lane.head() for lane in self._lanes.values()),
            key=lambda entry: entry.enqueued_at,
            default=leader,
        )
        return oldest.enqueued_at < leader.enqueued_at and oldest.rank > leader.rank


def _stands(entry: RankedEntry, rank: int) -> bool:
    """Whether an entry waits, and at that rank: a delayed one is met where it was before, too."""
    return entry.queued and entry.rank == rank


class _Timeouts(Generic[R]):
    """Entries that may wait for a limited time. Those that wait no more are forgotten as they are
    met, all of them now and then."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, R]] = []
        self._sequence = count()
        self._bound = _FEWEST_TO_COMPACT

    def add(self, entry: R) -> None:
        heapq.heappush(self._heap, (entry.queue_deadline, next(self._sequence), entry))
        if len(self._heap) > self._bound:
            self._heap = [record for record in self._heap if record[2].queued]
            heapq.heapify(self._heap)
            self._bound = 2 * len(self._heap) + _FEWEST_TO_COMPACT

    def next(self) -> float:
        """The earliest time; inf when there is none."""
        heap = self._heap
        while heap and not heap[0][2].queued:
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def come(self, now: float) -> list[R]:
        """Remove those whose time has come, and that wait with all their rows."""
        due: list[R] = []
        while self.next() <= now:
            entry = heapq.heappop(self._heap)[2]
            if entry.taken == 0:
                due.append(entry)
        return due
