"""A histogram whose observations cost an append; they are counted in bulk.

prometheus-client's own takes a lock and walks its buckets in Python, several microseconds each
time, and a request is observed five times. The exposition stays the library's: see ``metrics``.
Observed on the event loop only, read from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from threading import Lock

import numpy as np

MOST_PENDING = 1024
"""Observations that are counted at once, in some 50 us."""


class Histogram:
    """Counts per bucket; an observation belongs to the first upper bound that is not below it."""

    __slots__ = ("_bounds", "_counting", "_counts", "_names", "_pending", "_scale", "_total")

    def __init__(self, bounds: Sequence[float], scale: float = 1.0) -> None:
        """Observations are multiplied by ``scale`` before they are compared with ``bounds``."""
        self._bounds = np.array(bounds, np.float64)
        self._names = [*map(str, bounds), "+Inf"]
        self._scale = scale
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._total = 0.0
        self._pending: list[float] = []
        self._counting = Lock()

    def observe(self, value: float) -> None:
        pending = self._pending
        pending.append(value)
        if len(pending) >= MOST_PENDING:
            self._count()

    def observe_all(self, values: Iterable[float]) -> None:
        self._pending.extend(values)
        if len(self._pending) >= MOST_PENDING:
            self._count()

    @property
    def total(self) -> float:
        """The sum of all observations, scaled."""
        self._count()
        return self._total

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus' form: upper bound as text, and how many observations are not above it."""
        self._count()
        return list(zip(self._names, accumulate(self._counts.tolist()), strict=True))

    def _count(self) -> None:
        with self._counting:
            # The loop may append meanwhile: what is copied is what is deleted.
            pending = self._pending[:]
            del self._pending[: len(pending)]
            values = np.array(pending, np.float64) * self._scale
            self._total += float(values.sum())
            places = np.searchsorted(self._bounds, values)
            self._counts += np.bincount(places, minlength=len(self._counts))
