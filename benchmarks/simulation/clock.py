"""Simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeVar

from batching.testing import ManualClock

T = TypeVar("T")


class EventClock(ManualClock):
    """Jumps from timer to timer. A job's time can be lived again once it is over, so that a
    batcher that times its runs by this clock sees how long they took."""

    def __init__(self) -> None:
        super().__init__()
        self._present = 0.0

    def step(self) -> None:
        """Go to the next timer and call it. Raises IndexError when there is none."""
        when, _, timer = heapq.heappop(self._timers)
        if not timer.cancelled:
            self._now = max(self._now, when)
            timer.callback()

    def relive(self, start: float, job: Callable[[], T]) -> T:
        """Call ``job`` as if it were ``start``. What it runs calls ``back`` at its end."""
        self._present, self._now = self._now, start
        try:
            return job()
        finally:
            self._now = self._present

    def back(self) -> None:
        """Back to the present."""
        self._now = self._present
