"""Calls that arrive together go on together.

gRPC hands calls over one by one, each a few turns of the event loop after the last. A fast device
would be free again in between and run every one alone, which costs a switch of threads each: far
more than the run itself.
"""

from __future__ import annotations

import asyncio
import time

QUIET_TURNS = 10
"""Turns of the event loop without a new call after which those that wait go on. A turn takes as
long as there is work: microseconds when there is none."""
LONGEST_SECONDS = 0.002
"""For so long the first of them waits at most."""


class Gathering:
    """Lives on the event loop."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []
        self._quiet_turns = 0
        self._began = 0.0

    async def join(self) -> None:
        """Wait until no other call seems to follow."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._quiet_turns = 0
        if not self._waiting:
            self._began = time.monotonic()
            loop.call_soon(self._turn, loop)
        self._waiting.append(waiter)
        await waiter

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._quiet_turns += 1
        late = time.monotonic() - self._began >= LONGEST_SECONDS
        if self._quiet_turns <= QUIET_TURNS and not late:
            loop.call_soon(self._turn, loop)
            return
        together, self._waiting = self._waiting, []
        for waiter in together:
            if not waiter.done():
                waiter.set_result(None)
