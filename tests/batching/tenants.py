"""A pool's tenants, as the pool sees them, for tests of who gets which executor."""

from __future__ import annotations

from collections import Counter
from typing import Any

from batching import DevicePool
from batching.executor import Job
from batching.testing import ScriptedExecutor, settle
from tests.batching.harness import StrictClock

ENDLESS = 10**6


class Tenant:
    """A batcher as a pool sees one: jobs to run, each of which takes ``seconds``."""

    def __init__(self, house: House, name: str, seconds: float, *executors: str) -> None:
        self.name = name
        self.seconds = seconds
        self.predicted = seconds
        self.jobs = 0
        self.used = 0.0
        self.reported: list[Any] = []
        self._house = house
        self.seat = house.pool.join(self, executors)

    async def wants(self, jobs: int) -> None:
        self.jobs = jobs
        self._house.pool.wake(self.seat, self._house.clock.now())
        await settle()

    def seal(self, executor: str, now: float, free: int) -> Job | None:
        if self.jobs == 0:
            return None
        self.jobs -= 1
        self._house.started.append((self.name, executor))
        return self.run

    def run(self) -> str:
        self.used += self.seconds
        self._house.clock.advance(self.seconds)
        return self.name

    def finished(self, job: Job, result: Any, error: BaseException | None) -> None:
        self.reported.append(result if error is None else error)

    def predicted_seconds(self) -> float:
        return self.predicted


class House:
    """A pool, its executors and a log of who was given which."""

    def __init__(self, *executors: str) -> None:
        self.clock = StrictClock(100.0)
        self.executors = {name: ScriptedExecutor(name) for name in executors or ("e0",)}
        self.pool = DevicePool(list(self.executors.values()), clock=self.clock)
        self.started: list[tuple[str, str]] = []

    async def turns(self, count: int, executor: str = "e0") -> str:
        """Let so many jobs of an executor end; who was given it meanwhile."""
        before = len(self.started)
        for _ in range(count):
            self.executors[executor].finish()
            await settle()
        return "".join(name for name, _ in self.started[before:])

    def holders(self) -> Counter[str]:
        """How many executors each tenant has now."""
        running = (job.job for executor in self.executors.values() for job in executor.running)
        return Counter(job.__self__.name for job in running)  # type: ignore[attr-defined]
