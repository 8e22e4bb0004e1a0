"""How many processes a server is made of."""

from __future__ import annotations

from gateway.cores import usable_cores

AUTO = "auto"

_MOST_FRONTS = 8
"""Beyond these the engine is what limits."""


def front_count(workers: str, cores: int | None = None) -> int:
    """Front processes for the setting ``workers``; 0: everything in one process.

    ``auto`` leaves half of the cores to the engine, which has the models' threads, and has no
    fronts where a front and an engine would share a core. ``cores`` are those that may be used.
    """
    if workers != AUTO:
        return int(workers)
    if cores is None:
        cores = usable_cores()
    return min(cores // 2, _MOST_FRONTS) if cores > 2 else 0
