"""One timer of a queue: armed for the earliest reason to look, seldom moved."""

from __future__ import annotations

import math
from collections.abc import Callable

from batching.clock import Clock, Timer


class Wakeup:
    """Calls back once at the earliest second asked for.

    A timer that is due earlier than asked is left alone and fires in vain: moving it for every new
    head of the queue would cost more than the request itself.
    """

    __slots__ = ("_callback", "_clock", "_timer", "at")

    def __init__(self, clock: Clock, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback = callback
        self._timer: Timer | None = None
        self.at = math.inf
        """When the callback is due; inf when it is not."""

    def arm(self, when: float) -> None:
        """Have the callback called at ``when`` or before."""
        if when < self.at:
            self.disarm()
            self.at = when
            self._timer = self._clock.call_at(when, self._fire)

    def disarm(self) -> None:
        """Take the call back."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.at = None, math.inf

    def _fire(self) -> None:
        self._timer, self.at = None, math.inf
        self._callback()
