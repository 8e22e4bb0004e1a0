"""What is compared: the real ``batching.Batcher`` under some policies, and AIMD."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from batching import Batcher, BatchPolicy, DevicePool, Inputs, Outputs, QueueFull
from batching.executor import Done, Job
from batching.runner import BatchJob
from benchmarks.simulation.clock import EventClock
from benchmarks.simulation.laws import Law

Answered = Callable[[], None]
_ROW: Inputs = {"x": [[0.0]]}


@dataclass(slots=True)
class DeviceUse:
    """What a device did."""

    rows: int = 0
    batches: int = 0
    busy_seconds: float = 0.0

    def add(self, rows: int, seconds: float) -> None:
        self.rows += rows
        self.batches += 1
        self.busy_seconds += seconds


class System(Protocol):
    """Takes requests of one row."""

    use: DeviceUse

    def submit(self, answered: Answered) -> bool:
        """Let a request wait; False when it is refused. ``answered`` is called at its answer."""

    def close(self) -> None: ...


class SimulatedDevice:
    """An executor that takes the time of a law."""

    name = "simulated"

    def __init__(self, clock: EventClock, law: Law, use: DeviceUse) -> None:
        self._clock = clock
        self._law = law
        self._use = use

    def execute(self, job: Job, done: Done) -> None:
        assert isinstance(job, BatchJob), "the batcher's own"
        seconds = self._law.seconds(job.batch.rows)
        self._use.add(job.batch.rows, seconds)
        start = self._clock.now()
        self._clock.call_at(start + seconds, partial(self._finish, job, done, start))

    def _finish(self, job: Job, done: Done, start: float) -> None:
        done(self._clock.relive(start, job), None)

    def close(self) -> None:
        """Holds nothing."""


class OurBatcher:
    """``batching.Batcher`` with its pool, its admission and its timers. Needs a running loop."""

    def __init__(self, clock: EventClock, law: Law, policy: BatchPolicy) -> None:
        self.use = DeviceUse()
        self._clock = clock
        self._pool = DevicePool([SimulatedDevice(clock, law, self.use)], clock=clock)
        self._batcher = Batcher(self._run, self._pool, policy, clock=clock)

    def submit(self, answered: Answered) -> bool:
        try:
            self._batcher.submit(_ROW, rows=1, key="x", done=lambda _: answered())
        except QueueFull:
            return False
        return True

    def close(self) -> None:
        self._batcher.close()
        self._pool.close()

    def _run(self, inputs: dict[str, Any]) -> Outputs:
        self._clock.back()
        return inputs


class Aimd:
    """Clipper's rule: the batch bound grows by one row a batch, and shrinks by a tenth when a batch
    took longer than the objective. Takes what waits when the device is free; no queue bound."""

    DECREASE = 0.9

    def __init__(self, clock: EventClock, law: Law) -> None:
        self.use = DeviceUse()
        self._clock = clock
        self._law = law
        self._waiting: deque[Answered] = deque()
        self._bound = 1.0
        self._free = True

    def submit(self, answered: Answered) -> bool:
        self._waiting.append(answered)
        if self._free:
            self._start()
        return True

    def close(self) -> None:
        self._waiting.clear()

    def _start(self) -> None:
        rows = min(len(self._waiting), int(self._bound), self._law.max_batch_size)
        self._free = rows == 0
        if not rows:
            return
        batch = [self._waiting.popleft() for _ in range(rows)]
        seconds = self._law.seconds(rows)
        self.use.add(rows, seconds)
        self._clock.call_at(self._clock.now() + seconds, partial(self._finish, batch, seconds))

    def _finish(self, batch: list[Answered], seconds: float) -> None:
        within = seconds <= self._law.slo
        self._bound = self._bound + 1 if within else max(1.0, self._bound * self.DECREASE)
        self._start()
        for answered in batch:
            answered()


Make = Callable[[EventClock, Law], System]


def _ours(clock: EventClock, law: Law, *, timeout: float = 0.0, bounded: bool = False) -> System:
    rules: dict[str, Any] = {"queue_budget": law.slo} if bounded else {}
    policy = BatchPolicy(max_batch_size=law.max_batch_size, batch_timeout=timeout, **rules)
    return OurBatcher(clock, law, policy)


GREEDY, BOUNDED = "greedy", "greedy, bounded"
TIMERS = ("T=1 ms", "T=5 ms", "T=10 ms")
SYSTEMS: dict[str, Make] = {
    GREEDY: _ours,
    BOUNDED: partial(_ours, bounded=True),
    TIMERS[0]: partial(_ours, timeout=0.001),
    TIMERS[1]: partial(_ours, timeout=0.005),
    TIMERS[2]: partial(_ours, timeout=0.010),
    "AIMD": Aimd,
}
"""By name. ``BOUNDED`` refuses what would wait longer than the objective, as a server does with
``GATEWAY_QUEUE_BUDGET_MS``; the others have the default bound on rows only."""
