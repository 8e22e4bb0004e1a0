"""What Prometheus sees: requests from the front, batches from the batchers' records.

Label values come from the configuration and from code, never from a request, so that no client
can grow the set: an unknown model is counted under an empty name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from batching import (
    BatchDone,
    Batcher,
    BatchReleased,
    DevicePool,
    DropReason,
    Event,
    ItemDropped,
    ReleaseReason,
)
from gateway.histogram import Histogram

SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
RATIOS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

SERVABLE_LABELS = ("model", "version", "signature")


class ServableLabels(NamedTuple):
    model: str
    version: str
    signature: str


class BatchMetrics:
    """One batcher's counts; it is that batcher's observer."""

    def __init__(self, labels: ServableLabels) -> None:
        self.labels = labels
        self.batcher: Batcher | None = None
        """Set once the batcher exists; its queue length is read at scrape time."""
        self.queue_wait = Histogram(SECONDS)
        self.run = Histogram(SECONDS)
        self.rows = Histogram(ROWS)
        self.padding = Histogram(RATIOS)
        self.released = dict.fromkeys(ReleaseReason, 0)
        self.dropped = dict.fromkeys(DropReason, 0)
        self.reruns = 0
        self.failed_items = 0

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, BatchDone):
            for wait in event.queue_waits:
                self.queue_wait.observe(wait)
            self.run.observe(event.run_seconds)
            self.padding.observe(event.padding_ratio)
            self.reruns += event.reruns
            self.failed_items += event.failed_items
        elif isinstance(event, BatchReleased):
            self.released[event.reason] += 1
            self.rows.observe(event.rows)
        elif isinstance(event, ItemDropped):
            self.dropped[event.reason] += 1


class RequestMetrics:
    """Requests of one model and API by HTTP status, and how long they took."""

    def __init__(self, model: str, api: str) -> None:
        self.model = model
        self.api = api
        self.seconds = Histogram(SECONDS)
        self.by_status: dict[int, int] = {}

    def record(self, status: int, seconds: float) -> None:
        self.seconds.observe(seconds)
        self.by_status[status] = self.by_status.get(status, 0) + 1


class Metrics(Collector):
    """The registry of the process."""

    def __init__(self, pool: DevicePool) -> None:
        self._pool = pool
        self._requests: dict[tuple[str, str], RequestMetrics] = {}
        self._batchers: list[BatchMetrics] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def requests(self, model: str, api: str) -> RequestMetrics:
        """Where requests of a configured model ("" for unknown ones) are counted."""
        key = (model, api)
        found = self._requests.get(key)
        if found is None:
            found = self._requests[key] = RequestMetrics(model, api)
        return found

    def add_batcher(self, labels: ServableLabels) -> BatchMetrics:
        """The observer for a new batcher."""
        metrics = BatchMetrics(labels)
        self._batchers.append(metrics)
        return metrics

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are known at scrape time only."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._request_families()
        yield from self._batch_families()
        yield from self._drop_families()
        busy = CounterMetricFamily(
            "tensorgate_device_busy_seconds", "Time that a device ran batches.", labels=("device",)
        )
        for device, seconds in self._pool.busy_seconds.items():
            busy.add_metric((device,), seconds)
        yield busy

    def _request_families(self) -> Iterator[Metric]:
        requests = list(self._requests.values())
        count = CounterMetricFamily(
            "tensorgate_requests", "Answered requests.", labels=("model", "api", "code")
        )
        duration = HistogramMetricFamily(
            "tensorgate_request_duration_seconds",
            "From the request's head to its answer.",
            labels=("model", "api"),
        )
        for request in requests:
            labels = (request.model, request.api)
            for status, number in list(request.by_status.items()):
                count.add_metric((*labels, str(status)), number)
            duration.add_metric(labels, request.seconds.cumulative(), request.seconds.total)
        yield count
        yield duration

    def _batch_families(self) -> Iterator[Metric]:
        families: tuple[tuple[str, str, Callable[[BatchMetrics], Histogram]], ...] = (
            ("queue_wait_seconds", "From submission to sealing.", lambda m: m.queue_wait),
            ("batch_run_seconds", "Time that a batch ran, re-runs included.", lambda m: m.run),
            ("batch_rows", "Rows of a batch, without padding rows.", lambda m: m.rows),
            ("batch_padding_ratio", "Share of padding in a batch's inputs.", lambda m: m.padding),
        )
        for name, text, histogram_of in families:
            family = HistogramMetricFamily(f"tensorgate_{name}", text, labels=SERVABLE_LABELS)
            for metrics in self._batchers:
                histogram = histogram_of(metrics)
                family.add_metric(metrics.labels, histogram.cumulative(), histogram.total)
            yield family
        waiting = GaugeMetricFamily(
            "tensorgate_queue_rows", "Rows that wait for a device.", labels=SERVABLE_LABELS
        )
        for metrics in self._batchers:
            if metrics.batcher is not None:
                rows = metrics.batcher.statistics().waiting_rows
                waiting.add_metric(metrics.labels, rows)
        yield waiting

    def _drop_families(self) -> Iterator[Metric]:
        released = CounterMetricFamily(
            "tensorgate_batches_released",
            "Batches by why they were sealed.",
            labels=(*SERVABLE_LABELS, "reason"),
        )
        dropped = CounterMetricFamily(
            "tensorgate_requests_dropped",
            "Requests that were refused or removed before they were answered.",
            labels=(*SERVABLE_LABELS, "reason"),
        )
        reruns = CounterMetricFamily(
            "tensorgate_batch_reruns",
            "Extra runs to find the culprit of failed batches.",
            labels=SERVABLE_LABELS,
        )
        for metrics in self._batchers:
            for reason, number in metrics.released.items():
                released.add_metric((*metrics.labels, reason.value), number)
            for drop, number in metrics.dropped.items():
                dropped.add_metric((*metrics.labels, drop.value), number)
            reruns.add_metric(metrics.labels, metrics.reruns)
        yield released
        yield dropped
        yield reruns
