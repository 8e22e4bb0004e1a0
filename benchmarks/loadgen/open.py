"""Open loop: requests come when they come, whether or not earlier ones are answered."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from benchmarks.loadgen.connection import Connection
from benchmarks.loadgen.load import MAX_REQUESTS, Load, Traffic
from benchmarks.loadgen.record import Record
from benchmarks.loadgen.timer import PreciseTimer

Arrivals = Literal["constant", "poisson"]
LEAD_SECONDS = 0.005
"""Between the start of a run and its first request."""


def due_times(rate: float, seconds: float, arrivals: Arrivals, seed: int = 0) -> list[float]:
    """When requests are due, in seconds from the start: ``rate`` times ``seconds`` of them.

    ``constant``: evenly spaced. ``poisson``: independent of each other, as from many users; the
    same for the same seed.
    """
    requests = min(round(rate * seconds), MAX_REQUESTS)
    if arrivals == "constant":
        return [number / rate for number in range(requests)]
    source = random.Random(seed)
    return list(accumulate(source.expovariate(rate) for _ in range(requests)))


def burst_times(rate: float, seconds: float, period: float) -> list[float]:
    """``rate`` a second on average, all of a period's at its beginning."""
    at_once = max(1, round(rate * period))
    bursts = max(1, round(seconds / period))
    most = MAX_REQUESTS // at_once
    return [number * period for number in range(min(bursts, most)) for _ in range(at_once)]


class OpenLoop(Load):
    """Measures waiting. A request counts from when it was due, not from when it could be sent: a
    server that stalls is charged for everything that piled up meanwhile."""

    def __init__(self, traffic: Traffic, due: Sequence[float]) -> None:
        super().__init__(traffic)
        self._due = due
        self._idle: list[Connection] = []
        self._origin = 0.0
        self._timer = PreciseTimer(self._tick)

    def close(self) -> None:
        self._timer.close()

    def _start(self, connections: list[Connection]) -> None:
        self._idle = connections
        self._origin = self.record.started_at = time.monotonic() + LEAD_SECONDS
        self._arm()

    def _tick(self) -> None:
        now = time.monotonic()
        while self._idle and not self._finished() and (due := self._next_due()) <= now:
            self.record.lateness.append(now - due)
            self._send(self._idle.pop(), due)
        self._arm()

    def _free(self, connection: Connection, now: float) -> None:
        if not self._finished() and (due := self._next_due()) <= now:
            self._send(connection, due)
            return
        self._idle.append(connection)
        # The timer was off if this is the only idle connection.
        if len(self._idle) == 1:
            self._arm()

    def _arm(self) -> None:
        if self._idle and not self._finished():
            self._timer.arm(self._next_due())

    def _next_due(self) -> float:
        return self._origin + self._due[self.sent]

    def _finished(self) -> bool:
        return self.sent >= len(self._due)

    def _lost(self, connection: Connection, reason: str) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        super()._lost(connection, reason)

    def _stop(self) -> None:
        self.record.fault("never sent: no free connection", len(self._due) - self.sent)


async def open_loop(traffic: Traffic, due: Sequence[float], connections: int) -> Record:
    """Send a request at each of the ``due`` seconds, over at most ``connections`` at a time.

    Raises OSError or TimeoutError when the server takes no connection.
    """
    if not due:
        raise ValueError("no request is due")
    load = OpenLoop(traffic, due)
    try:
        return await load.run(connections, due[-1])
    finally:
        load.close()
