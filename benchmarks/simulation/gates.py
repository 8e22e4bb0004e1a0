"""What must hold, whatever changes in the batcher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.simulation.laws import LAWS, Law
from benchmarks.simulation.run import Result
from benchmarks.simulation.systems import BOUNDED, GREEDY, TIMERS
from benchmarks.simulation.workloads import OpenLoad

GATE_LOADS = tuple(OpenLoad(share) for share in (0.05, 0.30, 0.70))
OVERLOAD = OpenLoad(1.5)
SAMPLING = 1.05
"""What the p99 of some thousand requests is good to; real losses to a timer were 2x and more."""
LEAST_GOODPUT = 0.95
"""Of what the device can answer under overload."""

GATE_CELLS: tuple[tuple[OpenLoad, tuple[str, ...]], ...] = (
    *((load, (GREEDY, *TIMERS)) for load in GATE_LOADS),
    (OVERLOAD, (BOUNDED,)),
)
"""What has to be simulated for the verdicts: loads with names of systems."""

Key = tuple[str, str, str]
"""Names of law, load and system."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One pass line."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return self.value <= self.limit

    def show(self) -> str:
        verdict = "ok  " if self.passed else "FAIL"
        return f"{verdict}  {self.name}: {self.value:.4g}, at most {self.limit:.4g}"


def gates(results: Mapping[Key, Result]) -> list[Gate]:
    """The verdicts on what was simulated; everything of the gates' loads must have been."""
    return [
        gate
        for law in LAWS.values()
        for gate in (*_latency(results, law.name), _goodput(results, law))
    ]


def _latency(results: Mapping[Key, Result], law: str) -> list[Gate]:
    found = []
    for load in GATE_LOADS:
        best = min(results[law, load.name, timer].p99 for timer in TIMERS)
        ours = results[law, load.name, GREEDY].p99
        name = f"{law}, {load.name}: p99 ms of {GREEDY} against the best timer"
        found.append(Gate(name, ours * 1e3, best * SAMPLING * 1e3))
    return found


def _goodput(results: Mapping[Key, Result], law: Law) -> Gate:
    result = results[law.name, OVERLOAD.name, BOUNDED]
    # At full speed from the first arrival until the last one's objective.
    possible = 1 / OVERLOAD.share + law.slo * law.capacity / result.requests
    name = f"{law.name}, {OVERLOAD.name}: share of the possible goodput that {BOUNDED} misses"
    return Gate(name, 1 - result.goodput / possible, 1 - LEAST_GOODPUT)
