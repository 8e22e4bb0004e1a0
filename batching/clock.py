"""Time as an argument, so that tests own it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A scheduled call that can be taken back."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Monotonic seconds, and calls at a given second."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back. Callable from any thread."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` on the event loop once ``now() >= when``."""


class LoopClock:
    """The clock of an asyncio event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now: Callable[[], float] = loop.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        # uvloop rounds delays to the nearest millisecond: half of one more, and it never fires
        # early, which would make the caller ask again in a busy loop.
        return self._loop.call_at(when + 0.0005, callback)
