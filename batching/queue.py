"""The queue of one batcher: a pure state machine over (state, now).

Everything that decides which rows run next lives here and in ``forming``. There is no await, no
clock, no event loop: callers pass the time in and do the waiting themselves. A batch is sealed by
``take``, which the caller calls when a device is free and not before; until then every entry can
still be discarded or expire.

Entries wait in lanes, one per key. A lane never mixes keys, and the lane whose head is oldest goes
first, so no key starves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final, Generic

from batching.deadlines import Deadlines
from batching.forming import take_slices
from batching.lane import E, Lane, Slice
from batching.observe import ReleaseReason
from batching.policy import BatchPolicy
from batching.sizing import Limit


class _Alone:
    def __repr__(self) -> str:
        return "ALONE"


ALONE: Final[Hashable] = _Alone()
"""Key of an entry that shares a run with no other."""


@dataclass(slots=True, eq=False)
class SealedBatch(Generic[E]):
    """Rows that run together; no entry is added or removed any more."""

    slices: list[Slice[E]]
    rows: int
    reason: ReleaseReason
    oldest_enqueued_at: float
    sealed_at: float
    whole: bool
    """Exactly one entry with all its rows: outputs are its answer as they are."""


class BatchQueue(Generic[E]):
    """Waiting entries under one policy."""

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._limit = Limit(policy.max_batch_size)
        self._lanes: dict[Hashable, Lane[E]] = {}
        self._make_lane: Callable[[bool], Lane[E]] = Lane
        self._deadlines: Deadlines[E] = Deadlines()
        self.rows = 0
        """Rows that wait."""
        self.items = 0
        """Entries with rows that wait."""
        self.single = not policy.enabled
        """Each entry runs by itself."""

    def __repr__(self) -> str:
        return f"<BatchQueue items={self.items} rows={self.rows} lanes={len(self._lanes)}>"

    def offer(self, entry: E) -> None:
        """Let an entry wait. Whether there is room for it was the caller's question."""
        key = ALONE if self.single else entry.key
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = self._make_lane(self.single or key is ALONE)
        entry.key = key
        entry.queued = True
        lane.entries.append(entry)
        lane.rows += entry.rows
        self.rows += entry.rows
        self.items += 1
        if entry.deadline != math.inf:
            self._deadlines.add(entry)

    def take(
        self, now: float, *, flush: bool = False, limit: Limit | None = None
    ) -> SealedBatch[E] | None:
        """Seal the next batch, or None when nothing may go yet.

        Call ``expire(now)`` first, or expired entries may be in it. ``flush`` ignores the batch
        timeout. ``limit`` says when a batch is full; by default at ``max_batch_size``.
        """
        if limit is None:
            limit = self._limit
        lane = self._next_lane(now, flush, limit.rows)
        if lane is None:
            return None
        head = lane.head()
        key, oldest = head.key, head.enqueued_at
        slices = self._form(lane, limit, now)
        rows = 0
        for _, start, stop in slices:
            rows += stop - start
        # Only the last entry of a batch can have rows left.
        self.items -= len(slices) - slices[-1][0].queued
        self.rows -= rows
        if lane.rows == 0:
            del self._lanes[key]
        entry, start, stop = slices[0]
        return SealedBatch(
            slices=slices,
            rows=rows,
            reason=self._reason(lane, rows >= limit.rows, oldest, now, flush),
            oldest_enqueued_at=entry.enqueued_at,
            sealed_at=now,
            whole=len(slices) == 1 and start == 0 and stop == entry.rows,
        )

    def expire(self, now: float) -> list[E]:
        """Entries whose deadline has come, waiting or running; the waiting ones are removed."""
        expired = self._deadlines.come(now)
        for entry in expired:
            self.discard(entry)
        return expired

    def next_wakeup(self, now: float) -> float:
        """When to look again although nothing arrives: a deadline, or a batch timeout that ends.

        ``inf`` when there is no such time. A timeout that has ended needs none: its batch goes as
        soon as a device is free.
        """
        wakeup = self._deadlines.next()
        if self._policy.batch_timeout > 0:
            for lane in self._lanes.values():
                end = lane.head().enqueued_at + self._policy.batch_timeout
                if now < end < wakeup:
                    wakeup = end
        return wakeup

    def discard(self, entry: E) -> None:
        """Remove what still waits of an entry; nothing happens when nothing does."""
        if not entry.queued:
            return
        entry.queued = False
        left = entry.rows - entry.taken
        lane = self._lanes[entry.key]
        lane.rows -= left
        lane.dead += 1
        self.rows -= left
        self.items -= 1
        if lane.rows == 0:
            del self._lanes[entry.key]
        else:
            lane.compact()

    def clear(self) -> list[E]:
        """Remove every entry and return them in no particular order."""
        entries = [entry for lane in self._lanes.values() for entry in lane.entries if entry.queued]
        # Those that run keep their deadlines.
        self._deadlines.keep(lambda entry: not entry.queued)
        for entry in entries:
            entry.queued = False
        self._lanes.clear()
        self.rows = self.items = 0
        return entries

    def run_singly(self) -> None:
        """From now on each entry runs by itself and whole, those that wait included."""
        self.single = True
        for lane in self._lanes.values():
            lane.single = True

    def waiting(self) -> Iterator[E]:
        """Entries with rows that wait, lane by lane."""
        for lane in self._lanes.values():
            yield from (entry for entry in lane.entries if entry.queued)

    def _form(self, lane: Lane[E], limit: Limit, now: float) -> list[Slice[E]]:
        """Remove the next batch from a lane."""
        return take_slices(lane, self._policy, limit, now)

    def _next_lane(self, now: float, flush: bool, full: int) -> Lane[E] | None:
        """The lane to serve: of those that may go, the one that comes first."""
        lanes = self._lanes
        timeout = 0.0 if flush else self._policy.batch_timeout
        may_go = [
            lane
            for lane in lanes.values()
            if timeout == 0
            or lane.single
            or lane.rows >= full
            or lane.head().enqueued_at + timeout <= now
        ]
        if len(may_go) <= 1:
            return may_go[0] if may_go else None
        return min(may_go, key=self._precedence)

    def _precedence(self, lane: Lane[E]) -> tuple[float, float]:
        """What lanes are compared by: the one whose head is oldest comes first."""
        return 0, lane.head().enqueued_at

    def _reason(
        self, lane: Lane[E], full: bool, oldest: float, now: float, flush: bool
    ) -> ReleaseReason:
        if lane.single:
            return ReleaseReason.ALONE
        if full or lane.rows > 0:
            return ReleaseReason.FULL
        if flush:
            return ReleaseReason.DRAIN
        timeout = self._policy.batch_timeout
        timed_out = timeout > 0 and oldest + timeout <= now
        return ReleaseReason.TIMEOUT if timed_out else ReleaseReason.IDLE
