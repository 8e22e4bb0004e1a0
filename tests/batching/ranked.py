"""Entries with levels, and a queue of them that is driven by their names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from batching import BatchPolicy
from batching.priority import PriorityQueue
from tests.batching.entries import Entry, show


@dataclass(eq=False, slots=True, weakref_slot=True)
class Ranked(Entry):
    """The least that a queue with levels accepts."""

    priority: int = 1
    queue_deadline: float = math.inf
    rank: int = -1


def levels(count: int = 3, size: int = 2, relief: int = 0, **rules: Any) -> BatchPolicy:
    return BatchPolicy(
        max_batch_size=size,
        priority_levels=count,
        default_priority_level=count,
        relief_every=relief,
        **rules,
    )


class Levels:
    """A queue with levels, and what came of it. ``offer("a2 b1")``: a at level 2, b at level 1."""

    def __init__(self, policy: BatchPolicy) -> None:
        self.queue: PriorityQueue[Ranked] = PriorityQueue(policy)
        self.now = 0.0
        self.entries: dict[str, Ranked] = {}

    def offer(self, names: str, **fields: Any) -> None:
        """All of the given fields; a time-out counts from now."""
        fields["queue_deadline"] = self.now + fields.pop("timeout", math.inf)
        for name in names.split():
            self.now += 0.001
            entry = Ranked(name[0], priority=int(name[1]), enqueued_at=self.now, **fields)
            self.entries[name[0]] = entry
            self.queue.offer(entry)

    def take(self, batches: int = 1, **options: Any) -> str:
        """Names by batch."""
        taken = [show(self.queue.take(self.now, **options)) for _ in range(batches)]
        return ", ".join(" ".join(words.split()[:-1]) or words for words in taken)

    def expire(self, at: float) -> str:
        self.now = at
        return " ".join(entry.name for entry in self.queue.expire(at))
