"""The loads that servers are compared under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.open import Arrivals, due_times, open_loop
from benchmarks.loadgen.record import Outcome, Record
from benchmarks.loadgen.wrk import wrk_loop, wrk_path

OPEN_CONNECTIONS = 256
"""Most requests in flight of an open loop; those beyond wait, and their wait is counted."""

Generator = Literal["wrk", "own"]
GENERATORS = ("auto", "wrk", "own")


def generator_of(choice: str) -> Generator:
    """Who makes closed loops: ``auto`` is wrk where it is installed. Raises ValueError."""
    if choice == "own" or (choice == "auto" and wrk_path() is None):
        return "own"
    if wrk_path() is None:
        raise ValueError("wrk is not installed (Debian's package wrk); take --generator own")
    return "wrk"


def describe_generator(generator: Generator) -> str:
    """For the head of a report."""
    if generator == "wrk":
        return "closed loops by wrk, which looks at statuses; answers are compared before and after"
    return "closed loops by benchmarks/loadgen, which compares every answer and may be the limit"


@dataclass(frozen=True, slots=True)
class Closed:
    """So many connections, each busy all the time."""

    connections: int
    generator: Generator = "own"

    @property
    def label(self) -> str:
        return f"closed, {self.connections} at once"

    async def run(self, traffic: Traffic, seconds: float) -> Outcome:
        if self.generator == "wrk":
            return await wrk_loop(traffic, self.connections, seconds)
        return await closed_loop(traffic, self.connections, seconds)

    async def warm_up(self, traffic: Traffic, seconds: float) -> None:
        await closed_loop(traffic, self.connections, seconds)


@dataclass(frozen=True, slots=True)
class Open:
    """So many requests a second, come what may."""

    rate: int
    arrivals: Arrivals
    connections: int = OPEN_CONNECTIONS

    @property
    def label(self) -> str:
        return f"open, {self.rate}/s {self.arrivals}"

    async def run(self, traffic: Traffic, seconds: float) -> Record:
        due = due_times(self.rate, seconds, self.arrivals)
        return await open_loop(traffic, due, self.connections)

    async def warm_up(self, traffic: Traffic, seconds: float) -> None:
        await self.run(traffic, seconds)


Setting = Closed | Open
