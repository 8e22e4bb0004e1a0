"""Who has a deadline, and whose has come."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Generic, Protocol, TypeVar


class Mortal(Protocol):
    """An entry with a deadline, in seconds of the clock."""

    deadline: float

    def done(self) -> bool: ...


M = TypeVar("M", bound=Mortal)

_FEWEST_TO_COMPACT = 256


class Deadlines(Generic[M]):
    """Entries in order of their deadlines.

    Requests of one kind have one timeout, so most deadlines come in order and cost an append; a
    heap keeps the others. Entries leave when they are at the front and done: one slow entry must
    not pin the rest, so both forget the done ones now and then.
    """

    __slots__ = ("_bound", "_heap", "_in_order", "_sequence")

    def __init__(self) -> None:
        self._in_order: deque[M] = deque()
        self._heap: list[tuple[float, int, M]] = []
        self._sequence = count()
        self._bound = _FEWEST_TO_COMPACT

    def add(self, entry: M) -> None:
        """Watch an entry's deadline."""
        in_order = self._in_order
        if not in_order or entry.deadline >= in_order[-1].deadline:
            in_order.append(entry)
        else:
            heapq.heappush(self._heap, (entry.deadline, next(self._sequence), entry))
        if len(in_order) + len(self._heap) > self._bound:
            self._compact()

    def next(self) -> float:
        """The earliest deadline, maybe of an entry that is done already; inf when there is none."""
        first = self._in_order[0].deadline if self._in_order else math.inf
        return min(first, self._heap[0][0]) if self._heap else first

    def come(self, now: float) -> list[M]:
        """Remove those whose deadline is ``now`` or was before, earliest first; without the done
        ones."""
        in_order, heap = self._in_order, self._heap
        expired: list[M] = []
        while in_order and ((first := in_order[0]).deadline <= now or first.done()):
            in_order.popleft()
            if not first.done():
                expired.append(first)
        while heap and (heap[0][0] <= now or heap[0][2].done()):
            entry = heapq.heappop(heap)[2]
            if not entry.done():
                expired.append(entry)
        expired.sort(key=_deadline)
        return expired

    def keep(self, wanted: Callable[[M], bool]) -> None:
        """Forget all others."""
        self._in_order = deque(entry for entry in self._in_order if wanted(entry))
        self._heap = [record for record in self._heap if wanted(record[2])]
        heapq.heapify(self._heap)

    def _compact(self) -> None:
        self.keep(_is_pending)
        self._bound = 2 * (len(self._in_order) + len(self._heap)) + _FEWEST_TO_COMPACT


def _deadline(entry: Mortal) -> float:
    return entry.deadline


def _is_pending(entry: Mortal) -> bool:
    return not entry.done()
