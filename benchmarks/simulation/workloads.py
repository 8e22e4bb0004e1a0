"""Who asks when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.simulation.laws import Law

BURST_FACTOR, BURST_SHARE = 4.0, 0.2
"""So many times the mean rate for so much of the time; what is left comes between the bursts."""
OVERLOAD_SLOS = 25
"""How many times the objective an overload lasts at least."""
BURST_PERIOD_REQUESTS = 2000
"""Mean requests of one period of quiet and burst."""


@dataclass(frozen=True, slots=True)
class OpenLoad:
    """Requests that come at a share of the capacity, whether or not earlier ones are answered."""

    share: float
    bursts: bool = False

    @property
    def name(self) -> str:
        return f"{self.share:.0%} in bursts" if self.bursts else f"{self.share:.0%} poisson"

    def requests(self, law: Law, least: int) -> int:
        """How many show what this load does: under overload the first queue must not count much."""
        if self.share <= 1:
            return least
        return max(least, round(OVERLOAD_SLOS * law.slo * self.share * law.capacity))

    def arrivals(self, law: Law, requests: int, seed: int) -> Iterator[float]:
        """Seconds at which requests come."""
        source = random.Random(seed)
        rate = self.share * law.capacity
        if not self.bursts:
            return _poisson(source, lambda _: rate, requests)
        high = BURST_FACTOR * rate
        low = rate * (1 - BURST_FACTOR * BURST_SHARE) / (1 - BURST_SHARE)
        period = BURST_PERIOD_REQUESTS / rate

        def rate_at(now: float) -> float:
            return high if now % period < BURST_SHARE * period else low

        return _poisson(source, rate_at, requests)


@dataclass(frozen=True, slots=True)
class ClosedLoad:
    """Clients that ask again some time after their answer."""

    clients: int
    turnaround: float = 0.0003

    @property
    def name(self) -> str:
        return f"{self.clients} clients"

    def requests(self, law: Law, least: int) -> int:
        return least


Load = OpenLoad | ClosedLoad


def _poisson(
    source: random.Random, rate_at: Callable[[float], float], requests: int
) -> Iterator[float]:
    now = 0.0
    for _ in range(requests):
        now += source.expovariate(rate_at(now))
        yield now
