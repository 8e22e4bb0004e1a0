"""The loads that servers are compared under."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.open import Arrivals, due_times, open_loop
from benchmarks.loadgen.record import Record

OPEN_CONNECTIONS = 256
"""Most requests in flight of an open loop; those beyond wait, and their wait is counted."""


@dataclass(frozen=True, slots=True)
class Closed:
    """So many connections, each busy all the time."""

    connections: int

    @property
    def label(self) -> str:
        return f"closed, {self.connections} at once"

    async def run(self, traffic: Traffic, seconds: float) -> Record:
        return await closed_loop(traffic, self.connections, seconds)


@dataclass(frozen=True, slots=True)
class Open:
    """So many requests a second, come what may."""

    rate: int
    arrivals: Arrivals

    @property
    def label(self) -> str:
        return f"open, {self.rate}/s {self.arrivals}"

    async def run(self, traffic: Traffic, seconds: float) -> Record:
        due = due_times(self.rate, seconds, self.arrivals)
        return await open_loop(traffic, due, OPEN_CONNECTIONS)


Setting = Closed | Open
