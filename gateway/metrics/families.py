"""From records to Prometheus' metric families. May run on any thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gateway.histogram import Histogram
from gateway.metrics.records import BatchMetrics, RequestMetrics, VersionState

SERVABLE_LABELS = ("model", "version", "signature")

_BATCH_HISTOGRAMS: tuple[tuple[str, str, Callable[[BatchMetrics], Histogram]], ...] = (
    ("queue_wait_seconds", "From submission to sealing.", lambda m: m.queue_wait),
    ("batch_run_seconds", "Time that a batch ran, re-runs included.", lambda m: m.run),
    ("batch_rows", "Rows of a batch, without padding rows.", lambda m: m.rows),
    ("batch_padding_ratio", "Share of padding in a batch's inputs.", lambda m: m.padding),
)


def request_families(requests: Sequence[RequestMetrics]) -> Iterator[Metric]:
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


def batch_families(batchers: Sequence[BatchMetrics]) -> Iterator[Metric]:
    for name, text, histogram_of in _BATCH_HISTOGRAMS:
        family = HistogramMetricFamily(f"tensorgate_{name}", text, labels=SERVABLE_LABELS)
        for metrics in batchers:
            histogram = histogram_of(metrics)
            family.add_metric(metrics.labels, histogram.cumulative(), histogram.total)
        yield family
    waiting = GaugeMetricFamily(
        "tensorgate_queue_rows", "Rows that wait for a device.", labels=SERVABLE_LABELS
    )
    for metrics in batchers:
        if metrics.batcher is not None:
            waiting.add_metric(metrics.labels, metrics.batcher.statistics().waiting_rows)
    yield waiting


def drop_families(batchers: Sequence[BatchMetrics]) -> Iterator[Metric]:
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
    for metrics in batchers:
        for reason, number in metrics.released.items():
            released.add_metric((*metrics.labels, reason.value), number)
        for drop, number in metrics.dropped.items():
            dropped.add_metric((*metrics.labels, drop.value), number)
        reruns.add_metric(metrics.labels, metrics.reruns)
    yield released
    yield dropped
    yield reruns


def device_family(busy_seconds: Mapping[str, float]) -> Metric:
    busy = CounterMetricFamily(
        "tensorgate_device_busy_seconds", "Time that a device ran batches.", labels=("device",)
    )
    for device, seconds in busy_seconds.items():
        busy.add_metric((device,), seconds)
    return busy


def version_family(states: Iterable[VersionState]) -> Metric:
    family = GaugeMetricFamily(
        "tensorgate_model_version_state",
        "1 for the state that a model version is in.",
        labels=("model", "version", "state"),
    )
    for model, version, state in states:
        family.add_metric((model, str(version), state), 1)
    return family
