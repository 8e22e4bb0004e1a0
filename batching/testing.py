"""A clock and an executor that a test moves by hand: no sleeps, no luck with timing."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

from batching.executor import Done, Job


class ManualTimer:
    """A scheduled call of a ManualClock."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    """Stands still until ``advance``."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._sequence = count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> ManualTimer:
        timer = ManualTimer(when, callback)
        heapq.heappush(self._timers, (when, next(self._sequence), timer))
        return timer

    @property
    def timers(self) -> list[float]:
        """When each pending call is due, earliest first."""
        return sorted(when for when, _, timer in self._timers if not timer.cancelled)

    def advance(self, seconds: float) -> None:
        """Move on, stopping at each timer on the way to call it at its own time."""
        target = self._now + seconds
        while self._timers and self._timers[0][0] <= target:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if not timer.cancelled:
                timer.callback()
        self._now = target


class ScriptedJob:
    """A job that an executor was given and that the test ends when and how it likes."""

    def __init__(self, job: Job, done: Done, over: Callable[[ScriptedJob], None]) -> None:
        self.job = job
        self._done = done
        self._over = over
        self._result: Any = None
        self._error: BaseException | None = None
        self._ran = False

    def run(self) -> None:
        """Run the job now, without reporting: what a device does between start and end."""
        self._ran = True
        try:
            self._result = self.job()
        except BaseException as error:  # noqa: BLE001 - reported by finish, as a device thread does
            self._error = error

    def finish(self) -> None:
        """Run the job unless ``run`` did, and report what came of it."""
        if not self._ran:
            self.run()
        self._over(self)
        self._done(self._result, self._error)

    def fail(self, error: BaseException) -> None:
        """Report a failure of the device itself, without running the job."""
        self._over(self)
        self._done(None, error)


class ScriptedExecutor:
    """Holds each job until the test says ``finish`` or ``fail``; a hung device never does."""

    def __init__(self, name: str = "scripted") -> None:
        self._name = name
        self.running: list[ScriptedJob] = []
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    def execute(self, job: Job, done: Done) -> None:
        if self.running:
            raise AssertionError(f"{self._name} was given a job while it has one")
        self.running.append(ScriptedJob(job, done, self.running.remove))

    def close(self) -> None:
        self.closed = True

    def finish(self) -> None:
        """Let the running job end well."""
        self.running[0].finish()

    def fail(self, error: BaseException) -> None:
        """Let the device fail under the running job."""
        self.running[0].fail(error)


async def settle(turns: int = 5) -> None:
    """Let everything run that the event loop has ready, and what that makes ready in turn."""
    loop = asyncio.get_running_loop()
    for _ in range(turns):
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
