"""Batchers under load in simulated time: devices whose runs take what a formula says."""

from __future__ import annotations

import heapq
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching import Batcher, BatchPolicy, DevicePool, Item, Outputs
from batching.executor import Done, Job
from batching.testing import settle

TURNAROUND_SECONDS = 1e-4
"""Of a client, on average. Without any, callers would stay in the groups they happen to start in.
"""

Seconds = Callable[[int, int], float]
"""Of a run, by its rows and the entries of each."""


@dataclass(slots=True)
class Timer:
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class SimulatedClock:
    """Goes from one event to the next."""

    def __init__(self) -> None:
        self._now = 0.0
        self._events: list[tuple[float, int, Timer]] = []
        self._sequence = count()
        self.spent = 0.0
        """By the run in progress, which sees the time go by while nobody else does."""

    def now(self) -> float:
        return self._now + self.spent

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._events, (when, next(self._sequence), timer))
        return timer

    def step(self) -> None:
        """Everything that is due at the time of the next event."""
        self._now = max(self._now, self._events[0][0])
        while self._events and self._events[0][0] <= self._now:
            timer = heapq.heappop(self._events)[2]
            if not timer.cancelled:
                timer.callback()


class SimulatedDevice:
    """Runs a job at once and reports it when its time is over."""

    def __init__(self, name: str, clock: SimulatedClock) -> None:
        self._name = name
        self._clock = clock
        self.busy = 0.0

    @property
    def name(self) -> str:
        return self._name

    def execute(self, job: Job, done: Done) -> None:
        result = job()
        spent, self._clock.spent = self._clock.spent, 0.0
        self.busy += spent
        self._clock.call_at(self._clock.now() + spent, partial(done, result, None))

    def close(self) -> None:
        """Nothing to stop."""


@dataclass(slots=True)
class Record:
    """What came of a simulation."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    """Rows of each run, in order."""

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    @property
    def p50(self) -> float:
        return statistics.median(self.latencies)

    @property
    def p90(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.9)]

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


class Simulation:
    """One batcher on simulated devices."""

    def __init__(self, policy: BatchPolicy, seconds: Seconds, devices: int = 1) -> None:
        self.clock = SimulatedClock()
        self.devices = [SimulatedDevice(f"d{number}", self.clock) for number in range(devices)]
        self.seconds = seconds
        self._random = random.Random(1)
        self.sizes: list[int] = []
        self.latencies: list[float] = []
        pool = DevicePool(self.devices, clock=self.clock)
        self.batcher = Batcher(self._run, pool, policy, clock=self.clock)

    def _run(self, inputs: dict[str, NDArray[Any]]) -> Outputs:
        rows, length = inputs["x"].shape
        self.clock.spent += self.seconds(rows, length)
        self.sizes.append(rows)
        return {"y": inputs["x"][:, :1]}

    async def closed_loop(
        self, clients: int, seconds: float, lengths: Iterator[int] | None = None, warm: float = 0.0
    ) -> Record:
        """Each client sends a row of the next length a moment after its last one was answered. What
        happens in the first ``warm`` seconds is not on record."""
        self._lengths = lengths or repeat(1)
        self._sending = True
        for _ in range(clients):
            self._send()
        await self._until(self.clock.now() + warm)
        self.latencies, self.sizes = [], []
        start = self.clock.now()
        await self._until(start + seconds)
        record = Record(self.clock.now() - start, self.latencies, self.sizes)
        self._sending = False
        await self._until(float("inf"))
        return record

    async def open_loop(self, gaps: Iterator[float], arrivals: int) -> Record:
        """So many rows, each after the next gap of seconds."""
        self._sending, self._lengths = False, repeat(1)
        start = at = self.clock.now()
        for _ in range(arrivals):
            at += next(gaps)
            self.clock.call_at(at, self._send)
        await self._until(float("inf"))
        return Record(self.clock.now() - start, self.latencies, self.sizes)

    async def _until(self, end: float) -> None:
        await settle(2)
        while self.clock._events and self.clock.now() < end:
            self.clock.step()
            await settle(2)

    def _send(self) -> None:
        row = np.zeros((1, next(self._lengths)), np.float32)
        self.batcher.submit({"x": row}, done=self._answered)

    def _answered(self, item: Item) -> None:
        assert item.error is None
        self.latencies.append(self.clock.now() - item.enqueued_at)
        if self._sending:
            moment = self._random.expovariate(1 / TURNAROUND_SECONDS)
            self.clock.call_at(self.clock.now() + moment, self._send_again)

    def _send_again(self) -> None:
        if self._sending:
            self._send()
