"""Functions timed in turn: what slows the machine down meanwhile slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

TURN_SECONDS = 0.001


def interleaved(
    functions: Mapping[str, Callable[[], object]], seconds: float
) -> dict[str, list[float]]:
    """Microseconds of processor time a call, of all threads, by turn; at least three turns."""
    calls = {name: _calls_a_turn(function) for name, function in functions.items()}
    turns: dict[str, list[float]] = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    done = 0
    while done < 3 or time.perf_counter() < end:
        done += 1
        for name, function in functions.items():
            started = time.process_time_ns()
            for _ in range(calls[name]):
                function()
            turns[name].append((time.process_time_ns() - started) / calls[name] / 1000)
    return turns


def quiet(values: list[float]) -> float:
    """The first decile: what it takes when nothing else runs."""
    return sorted(values)[len(values) // 10]


def _calls_a_turn(function: Callable[[], object]) -> int:
    function()
    started = time.perf_counter()
    function()
    return max(1, int(TURN_SECONDS / max(1e-7, time.perf_counter() - started)))
