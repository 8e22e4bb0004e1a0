"""When a request's turn comes and its answer goes out, where that is not simply at once."""

from __future__ import annotations

import math

from batching.item import Item
from batching.ordering import ArrivalOrder
from batching.policy import BatchPolicy
from batching.priority import PriorityQueue
from batching.queue import BatchQueue


class Turns:
    """Levels with their bounds and time-outs, and answers in order of arrival, as a policy says."""

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._levels = PriorityQueue[Item](policy) if policy.has_levels else None
        self.queue = BatchQueue[Item](policy) if self._levels is None else self._levels
        self._order = ArrivalOrder() if policy.preserve_ordering else None

    @property
    def plain(self) -> bool:
        """Whether there is nothing to all this: first come, first served and answered."""
        return self._levels is None and self._order is None

    def objection(self, priority: int) -> str:
        """Why a request of that priority may not wait; empty when it may."""
        if self._levels is None:
            return ""
        level = self._policy.level_of(priority)
        most = self._policy.of_level(level).max_queue_size
        waiting = self._levels.waiting_at(level)
        if not 0 < most <= waiting:
            return ""
        return f"{waiting} requests of priority {level} wait already; at most {most} may"

    def enter(self, item: Item, priority: int, queue_timeout: float | None) -> float:
        """An item that is about to be queued. Until when it may wait, in the clock's seconds."""
        item.queue_deadline = math.inf
        if self._levels is not None:
            item.priority = self._policy.level_of(priority)
            rules = self._policy.of_level(item.priority)
            item.queue_deadline = rules.queue_deadline(item.enqueued_at, queue_timeout)
        if self._order is not None:
            self._order.enter(item)
        return item.queue_deadline

    def leave(self, item: Item) -> None:
        """An item that was given up."""
        if self._order is not None:
            self._order.leave(item)
