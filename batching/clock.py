"""Time as an argument, so that tests own it."""

from __future__ import annotations

import asyncio
import time
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
    """``time.monotonic``, and an event loop's timers.

    Not ``loop.time``: uvloop's stands still between two looks at its sockets and counts whole
    milliseconds, so a device thread could not measure a run with it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.now: Callable[[], float] = time.monotonic

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        # Both kinds of loop count their time from the same clock. uvloop rounds delays to the
        # nearest millisecond: half of one more, and it never fires early, which would make the
        # caller ask again at once.
        return self._loop.call_at(when + 0.0005, callback)
