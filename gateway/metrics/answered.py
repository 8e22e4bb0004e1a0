"""Requests that were answered, which are counted in bulk: a success costs an append."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from gateway.metrics.registry import Metrics
from gateway.tf_metrics import TfServingMetrics

MOST_PENDING = 1024
"""Requests that are counted at once, in some 100 us."""


class AnsweredRequests:
    """Adds on the event loop; ``count``, before numbers are read, on any thread."""

    def __init__(self, metrics: Metrics, tf_metrics: TfServingMetrics) -> None:
        self._metrics = metrics
        self._tf_metrics = tf_metrics
        self._pending: dict[tuple[str, str], list[float]] = {}
        self._counting = Lock()
        metrics.before_reading(self.count)
        tf_metrics.before_reading(self.count)

    def add(self, model: str, api: str, seconds: float) -> None:
        """A configured model's request was answered after so many seconds."""
        pending = self._pending.get((model, api))
        if pending is None:
            pending = self._pending[model, api] = []
        pending.append(seconds)
        if len(pending) >= MOST_PENDING:
            self.count()

    def add_all(self, model: str, api: str, seconds: Sequence[float]) -> None:
        """As ``add``, for several."""
        pending = self._pending.setdefault((model, api), [])
        pending += seconds
        if len(pending) >= MOST_PENDING:
            self.count()

    def count(self) -> None:
        """Let the metrics have what was added."""
        with self._counting:
            for (model, api), pending in list(self._pending.items()):
                # The loop may append meanwhile: what is copied is what is deleted.
                seconds = pending[:]
                del pending[: len(seconds)]
                if seconds:
                    self._metrics.requests(model, api).answered(seconds)
                    self._tf_metrics.answered(model, api, seconds)
