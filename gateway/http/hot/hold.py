"""Refusals that wait a moment before they are sent.

A client that is refused at once asks again at once: a thousand of them keep the loop busy with
nothing else, and the device starves (measured: from 615 answers a second to 22).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

HOLD_SECONDS = 0.05
"""The longest that a refusal is held."""
MOST_HELD = 4096


class Hold:
    """Answers that are late on purpose; one timer for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, answer: Callable[[], None]) -> None:
        """Call ``answer`` soon; at once when too many are held."""
        if len(self._held) >= MOST_HELD:
            answer()
            return
        self._held.append(answer)
        if self._timer is None:
            self._timer = self._loop.call_later(HOLD_SECONDS, self.release)

    def release(self) -> None:
        """Answer all that are held."""
        held, self._held = self._held, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for answer in held:
            answer()
