"""Which waiting items join a batch. Pure functions over one lane: items that may share a run.

First come, first served; rows are counted, not items. Where items are padded to each other, the
oldest sets the measure and the nearest lengths join it (see ``Padding``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from batching.policy import BatchPolicy, Padding


class Entry(Protocol):
    """What the queue and the forming rules need of an item. ``queued`` and ``taken`` are theirs."""

    rows: int
    taken: int
    queued: bool
    key: Hashable
    length: int
    enqueued_at: float
    deadline: float

    def done(self) -> bool: ...


E = TypeVar("E", bound=Entry)

Slice = tuple[E, int, int]
"""An entry and the half-open range of its rows that a batch holds."""

WINDOW_BATCHES = 4
"""How many batches' worth of waiting rows forming by length looks at."""


class Lane(Generic[E]):
    """Entries of one key in order of arrival. Removed ones stay until they reach the head."""

    __slots__ = ("dead", "entries", "rows", "single")

    def __init__(self, single: bool) -> None:
        self.entries: deque[E] = deque()
        self.rows = 0
        """Rows that wait."""
        self.dead = 0
        """Entries that were removed and not yet popped."""
        self.single = single
        """Each entry runs by itself."""

    def head(self) -> E:
        """The oldest waiting entry. The lane must have waiting rows."""
        entries = self.entries
        while not entries[0].queued:
            entries.popleft()
            self.dead -= 1
        return entries[0]

    def compact(self) -> None:
        """Forget removed entries once they are the majority, so that memory follows the rows."""
        if self.dead > 32 and self.dead * 2 > len(self.entries):
            self.entries = deque(entry for entry in self.entries if entry.queued)
            self.dead = 0


def take_slices(lane: Lane[E], policy: BatchPolicy, now: float) -> list[Slice[E]]:
    """Remove the next batch from a lane with waiting rows. Never empty, never over the row budget
    (but for an entry that runs alone and is never split)."""
    if lane.single:
        return [_take_whole(lane, lane.head())]
    if policy.padding is not None and policy.padding.inputs:
        return _take_by_length(lane, policy, policy.padding, now)
    return _take_in_order(lane, policy)


def _take_whole(lane: Lane[E], entry: E) -> Slice[E]:
    start, entry.taken, entry.queued = entry.taken, entry.rows, False
    lane.rows -= entry.rows - start
    lane.dead += 1
    return entry, start, entry.rows


def _take_part(lane: Lane[E], entry: E, rows: int) -> Slice[E]:
    start = entry.taken
    entry.taken = start + rows
    lane.rows -= rows
    return entry, start, entry.taken


def _take_in_order(lane: Lane[E], policy: BatchPolicy) -> list[Slice[E]]:
    slices: list[Slice[E]] = []
    entries = lane.entries
    room = policy.max_batch_size
    while entries and room:
        entry = entries[0]
        if entry.queued:
            left = entry.rows - entry.taken
            if left > room:
                if _may_split(entry, policy):
                    slices.append(_take_part(lane, entry, room))
                break
            slices.append((entry, entry.taken, entry.rows))
            entry.taken = entry.rows
            entry.queued = False
            lane.rows -= left
            room -= left
        else:
            lane.dead -= 1
        entries.popleft()
    return slices


def _may_split(entry: Entry, policy: BatchPolicy) -> bool:
    """Only what can never run whole is split: splitting others would delay their first rows'
    answer to the second batch."""
    return entry.rows > policy.max_batch_size


def _take_by_length(
    lane: Lane[E], policy: BatchPolicy, padding: Padding, now: float
) -> list[Slice[E]]:
    anchor = lane.head()
    room = policy.max_batch_size
    left = anchor.rows - anchor.taken
    if left > room:
        return [_take_part(lane, anchor, room)]
    slices = [_take_whole(lane, anchor)]
    room -= left
    waste = _Waste(anchor.length, left)
    for entry in _by_urgency(lane, policy, padding, anchor, now):
        if room == 0:
            break
        left = entry.rows - entry.taken
        overdue = now - entry.enqueued_at >= padding.patience
        if left > room or not (overdue or waste.allows(entry.length, left, padding.max_waste)):
            continue
        waste.add(entry.length, left)
        slices.append(_take_whole(lane, entry))
        room -= left
    lane.compact()
    return slices


def _by_urgency(
    lane: Lane[E], policy: BatchPolicy, padding: Padding, anchor: E, now: float
) -> list[E]:
    """Overdue entries in order of arrival, then the others of the window, nearest length first."""
    window: list[E] = []
    rows = 0
    for entry in lane.entries:
        if entry.queued:
            window.append(entry)
            rows += entry.rows - entry.taken
            if rows >= WINDOW_BATCHES * policy.max_batch_size:
                break
    limit = now - padding.patience

    def urgency(entry: E) -> tuple[bool, int]:
        young = entry.enqueued_at > limit
        return young, abs(entry.length - anchor.length) if young else 0

    window.sort(key=urgency)
    return window


class _Waste:
    """Share of padding in a batch under construction."""

    __slots__ = ("entries", "longest", "rows")

    def __init__(self, length: int, rows: int) -> None:
        self.longest = length
        self.rows = rows
        self.entries = length * rows

    def allows(self, length: int, rows: int, limit: float) -> bool:
        cells = max(self.longest, length) * (self.rows + rows)
        return cells - (self.entries + length * rows) <= limit * cells

    def add(self, length: int, rows: int) -> None:
        self.longest = max(self.longest, length)
        self.rows += rows
        self.entries += length * rows
