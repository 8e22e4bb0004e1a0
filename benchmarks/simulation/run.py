"""One system under one load, from the first request to the last answer."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.loadgen.record import percentile
from benchmarks.simulation.clock import EventClock
from benchmarks.simulation.laws import Law
from benchmarks.simulation.systems import Answered, DeviceUse, Make, System
from benchmarks.simulation.workloads import ClosedLoad, OpenLoad

SEED = 6


@dataclass(frozen=True, slots=True)
class Result:
    """Times in seconds."""

    p50: float
    p99: float
    goodput: float
    """Share of all requests that were answered within the objective."""
    per_second: float
    """Answers per second of simulated time."""
    refused: int
    requests: int
    mean_batch: float
    busy: float
    """Share of the time that the device was."""


class _Client:
    """Sends a workload's requests and writes down what came of them."""

    def __init__(self, clock: EventClock, system: System) -> None:
        self.latencies = array("d")
        self.refused = 0
        self.outstanding = 0
        """Requests without an answer, and those yet to come."""
        self._clock = clock
        self._system = system

    def open(self, arrivals: Iterator[float], requests: int) -> None:
        self.outstanding = requests

        def arrive() -> None:
            self._ask(lambda: None)
            follow()

        def follow() -> None:
            when = next(arrivals, None)
            if when is not None:
                self._clock.call_at(when, arrive)

        follow()

    def closed(self, load: ClosedLoad, requests: int) -> None:
        self.outstanding = requests
        left = requests

        def ask() -> None:
            nonlocal left
            if left:
                left -= 1
                self._ask(again)

        def again() -> None:
            self._clock.call_at(self._clock.now() + load.turnaround, ask)

        for _ in range(load.clients):
            again()

    def _ask(self, then: Answered) -> None:
        start = self._clock.now()

        def answered() -> None:
            self.latencies.append(self._clock.now() - start)
            self.outstanding -= 1
            then()

        if not self._system.submit(answered):
            self.refused += 1
            self.outstanding -= 1
            then()

    def result(self, law: Law, use: DeviceUse, requests: int) -> Result:
        ordered = sorted(self.latencies)
        seconds = self._clock.now()
        within = sum(latency <= law.slo for latency in ordered)
        return Result(
            p50=percentile(ordered, 0.5),
            p99=percentile(ordered, 0.99),
            goodput=within / requests,
            per_second=len(ordered) / seconds,
            refused=self.refused,
            requests=requests,
            mean_batch=use.rows / max(1, use.batches),
            busy=use.busy_seconds / seconds,
        )


async def simulate(make: Make, law: Law, load: OpenLoad | ClosedLoad, requests: int) -> Result:
    """Run the load to its last answer. The same arguments give the same result."""
    clock = EventClock()
    system = make(clock, law)
    client = _Client(clock, system)
    if isinstance(load, OpenLoad):
        client.open(load.arrivals(law, requests, SEED), requests)
    else:
        client.closed(load, requests)
    while client.outstanding:
        clock.step()
        # The pool hands out batches once per turn of the loop.
        await asyncio.sleep(0)
    system.close()
    return client.result(law, system.use, requests)
