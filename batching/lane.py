"""Waiting entries that may share a run, in order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


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

    def take_whole(self, entry: E) -> Slice[E]:
        """All rows of an entry that still wait."""
        start, entry.taken, entry.queued = entry.taken, entry.rows, False
        self.rows -= entry.rows - start
        self.dead += 1
        return entry, start, entry.rows

    def take_part(self, entry: E, rows: int) -> Slice[E]:
        """The next ``rows`` rows of an entry that keeps some waiting."""
        start = entry.taken
        entry.taken = start + rows
        self.rows -= rows
        return entry, start, entry.taken

    def compact(self) -> None:
        """Forget removed entries once they are the majority, so that memory follows the rows."""
        if self.dead > 32 and self.dead * 2 > len(self.entries):
            self.entries = deque(entry for entry in self.entries if entry.queued)
            self.dead = 0
