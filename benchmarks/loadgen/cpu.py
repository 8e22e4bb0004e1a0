"""Processor time and placement of processes (Linux, proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.loadgen.processes import descendants, stat_fields

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
"""Resolution of /proc/PID/stat: 10 ms as a rule."""


def process_tree_seconds(pid: int) -> float:
    """User and system time of a process, its living children and its reaped ones.

    Raises ProcessLookupError when there is no such process.
    """
    own = _stat_seconds(pid)
    if own is None:
        raise ProcessLookupError(f"no process {pid}")
    return own + sum(_stat_seconds(child) or 0.0 for child in descendants(pid))


def _stat_seconds(pid: int) -> float | None:
    fields = stat_fields(pid)
    # utime, stime and those of reaped children: 14 to 17 of the manual page.
    return sum(map(int, fields[11:15])) * TICK_SECONDS if fields else None


@contextmanager
def placed_on(cores: frozenset[int]) -> Iterator[None]:
    """Run this thread, and every process that it starts meanwhile, on ``cores``. Empty: anywhere
    it may run already."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def split_cores(*, pin: bool) -> tuple[frozenset[int], frozenset[int]]:
    """Cores for the servers and for the load generator: one each when ``pin`` and there are two,
    else none in particular."""
    available = sorted(os.sched_getaffinity(0))
    if not pin or len(available) < 2:
        return frozenset(), frozenset()
    return frozenset(available[:1]), frozenset(available[1:2])
