"""Which batcher gets a free executor.

Batchers that share devices take turns by measured device time: of those with rows to run, the one
that has used least goes next (start-time fair queuing). One that was idle starts level with the
others instead of with a credit for its idle past.

With several executors the last free one is not given to a batcher of slow batches that already
holds another, as long as other batchers are in use: a slow model must not block a fast one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from batching.clock import Clock, LoopClock
from batching.executor import Executor, Job

logger = logging.getLogger(__name__)

SHORT_BATCH_SECONDS = 0.01
"""Batches of at most this predicted time may use every executor at once."""
IN_USE_SECONDS = 30.0
"""For how long after its last request a batcher counts as in use."""


class Source(Protocol):
    """What a pool needs of a batcher. All methods are called on the event loop."""

    def seal(self, executor: str, now: float, free: int) -> Job | None:
        """Seal a batch for the executor, or None when none may go now. ``free`` executors, this one
        included, could have batches of this source now."""

    def finished(self, job: Job, result: Any, error: BaseException | None) -> None:
        """A job that was sealed here is over."""

    def predicted_seconds(self) -> float:
        """Expected run time of the next batch; inf while unknown."""


class Seat:
    """A batcher's place in a pool."""

    __slots__ = (
        "allowed",
        "device_seconds",
        "peers",
        "preferred",
        "running",
        "source",
        "spared",
        "used_at",
        "waiting",
    )

    def __init__(self, source: Source, allowed: frozenset[str]) -> None:
        self.source = source
        self.allowed = allowed
        self.device_seconds = 0.0
        """Device seconds used, lifted to the others' level after idleness."""
        self.peers: list[Seat] = []
        """Other batchers that use some of the same executors."""
        self.preferred: list[str] = []
        """Names of the allowed executors; those that fewest others may use come first."""
        self.running = 0
        self.waiting = False
        """Has rows, and nothing to gain from another wake before it was asked for a batch."""
        self.spared = False
        """Was denied the last free executor for the sake of others, who may be gone by now."""
        self.used_at = -math.inf


class DevicePool:
    """Executors shared by batchers. Lives on one event loop; not thread-safe."""

    def __init__(self, executors: Sequence[Executor], *, clock: Clock | None = None) -> None:
        if not executors:
            raise ValueError("a pool needs at least one executor")
        names = [executor.name for executor in executors]
        if len(set(names)) != len(names):
            raise ValueError(f"executor names are not distinct: {names}")
        self._loop = asyncio.get_running_loop()
        self._clock = clock or LoopClock(self._loop)
        self.executors = tuple(executors)
        self._idle = {executor.name: executor for executor in executors}
        self._seats: list[Seat] = []
        self._dispatching = False
        self.busy_seconds = dict.fromkeys(names, 0.0)
        """Seconds that each executor has been busy, finished jobs only."""

    def __repr__(self) -> str:
        return f"<DevicePool idle={len(self._idle)} of {len(self.executors)}>"

    def join(self, source: Source, executors: Sequence[str] = ()) -> Seat:
        """Let a batcher use the named executors, or all. Raises ValueError for unknown names."""
        known = {executor.name for executor in self.executors}
        if unknown := set(executors) - known:
            raise ValueError(f"unknown executors {sorted(unknown)}; there are {sorted(known)}")
        seat = Seat(source, frozenset(executors or known))
        self._seats.append(seat)
        self._acquaint()
        return seat

    def leave(self, seat: Seat) -> None:
        """Forget a batcher. Its running jobs still report to it."""
        self._seats.remove(seat)
        self._acquaint()

    def wake(self, seat: Seat, now: float) -> None:
        """A batcher has rows. Dispatch happens once per loop iteration, so that requests which
        arrive together are sealed together."""
        if not seat.waiting:
            if seat.running == 0:
                _level(seat)
            seat.waiting = True
            seat.used_at = now
        if self._idle and not self._dispatching:
            self._dispatching = True
            self._loop.call_soon(self._dispatch)

    def close(self) -> None:
        """Stop the executors. Running jobs are not waited for."""
        for executor in self.executors:
            executor.close()

    def _acquaint(self) -> None:
        for seat in self._seats:
            seat.peers = [
                s for s in self._seats if s is not seat and not s.allowed.isdisjoint(seat.allowed)
            ]
            rivals = {name: sum(name in s.allowed for s in seat.peers) for name in seat.allowed}
            names = (e.name for e in self.executors if e.name in seat.allowed)
            seat.preferred = sorted(names, key=rivals.__getitem__)

    def _dispatch(self) -> None:
        self._dispatching = False
        now = self._clock.now()
        turns = [seat for seat in self._seats if seat.waiting]
        if len(turns) > 1:
            turns.sort(key=_device_seconds)
        while self._idle and turns:
            for position, seat in enumerate(turns):
                usable = self._usable(seat, now)
                if not usable:
                    continue
                free = len(usable) // len(turns) or 1
                if not self._start(seat, self._idle[usable[0]], now, free):
                    seat.waiting = False
                    del turns[position]
                break
            else:
                return
            # A started seat has a job more in flight, which the measured time will not show
            # before it ends: let the others have the next executor.
            turns.sort(key=_running_then_device_seconds)

    def _usable(self, seat: Seat, now: float) -> list[str]:
        """Free executors that the batcher may have, the best first."""
        usable = [name for name in seat.preferred if name in self._idle]
        if not usable:
            return usable
        # Of several it takes the first ones, and will hold them when it comes to the last.
        spares = (seat.running > 0 or len(usable) > 1) and _must_spare(seat, usable[-1], now)
        seat.spared = spares and len(usable) == 1
        return usable[:-1] if spares else usable

    def _start(self, seat: Seat, executor: Executor, now: float, free: int) -> bool:
        job = seat.source.seal(executor.name, now, free)
        if job is None:
            return False
        del self._idle[executor.name]
        seat.running += 1
        seat.used_at = now
        executor.execute(job, partial(self._finished, seat, executor, job, now))
        return True

    def _finished(
        self,
        seat: Seat,
        executor: Executor,
        job: Job,
        started_at: float,
        result: Any,
        error: BaseException | None,
    ) -> None:
        elapsed = self._clock.now() - started_at
        self.busy_seconds[executor.name] += elapsed
        seat.device_seconds += elapsed
        seat.running -= 1
        self._idle[executor.name] = executor
        try:
            # The device first, the answers second: it would stand idle while they are encoded.
            if not self._dispatching:
                self._dispatch()
        finally:
            seat.source.finished(job, result, error)


def _level(seat: Seat) -> None:
    """Start level with those that are busy on the same executors; in a quiet moment, with the one
    that has used most."""
    busy = [s.device_seconds for s in seat.peers if s.waiting or s.running]
    level = min(busy) if busy else max((s.device_seconds for s in seat.peers), default=0.0)
    seat.device_seconds = max(seat.device_seconds, level)


def _must_spare(seat: Seat, executor: str, now: float) -> bool:
    """Whether a batcher that holds another executor leaves this last one to others that are in use
    and could have it."""
    in_use = any(executor in s.allowed and now - s.used_at < IN_USE_SECONDS for s in seat.peers)
    return in_use and seat.source.predicted_seconds() > SHORT_BATCH_SECONDS


def _device_seconds(seat: Seat) -> float:
    return seat.device_seconds


def _running_then_device_seconds(seat: Seat) -> tuple[int, float]:
    return seat.running, seat.device_seconds
