"""The process's own metrics: ``tensorgate_...``"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from batching import Batcher, DevicePool, Event, Observer
from batching.observe import ignore
from gateway.metrics.families import (
    batch_families,
    device_family,
    drop_families,
    request_families,
    version_family,
)
from gateway.metrics.records import BatchMetrics, RequestMetrics, ServableLabels, VersionState

CounterValues = Callable[[], Mapping[tuple[str, ...], float]]
"""Reads numbers by label values."""


def _no_versions() -> Iterable[VersionState]:
    return ()


class Metrics(Collector):
    """The registry of the process. Written on the event loop; ``render`` may run on any thread."""

    def __init__(
        self,
        pool: DevicePool,
        *,
        version_states: Callable[[], Iterable[VersionState]] = _no_versions,
        batch_observer: Observer = ignore,
        observer_of: Callable[[ServableLabels], Observer] | None = None,
    ) -> None:
        """``version_states`` is called by ``render``, on its thread. ``batch_observer`` gets the
        records of every batcher too, and what ``observer_of`` makes those of one."""
        self._pool = pool
        self._version_states = version_states
        self._batch_observer = batch_observer
        self._observer_of = observer_of
        self._requests: dict[tuple[str, str], RequestMetrics] = {}
        self._batchers: tuple[BatchMetrics, ...] = ()
        """Replaced as a whole: a scrape goes on with the one it began with."""
        self._counters: dict[str, tuple[str, Sequence[str], CounterValues]] = {}
        self._first: list[Callable[[], None]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def before_reading(self, count: Callable[[], None]) -> None:
        """Have ``count`` called by ``render``, on its thread, before it looks at the numbers."""
        self._first.append(count)

    def requests(self, model: str, api: str) -> RequestMetrics:
        """Where requests of a configured model ("" for unknown ones) are counted."""
        key = (model, api)
        found = self._requests.get(key)
        if found is None:
            found = self._requests[key] = RequestMetrics(model, api)
        return found

    def add_batcher(self, labels: ServableLabels) -> BatchMetrics:
        """The observer for a new batcher. One with the same labels before it gives way: a version
        that was loaded again starts from zero."""
        metrics = BatchMetrics(labels, self._observer(labels))
        others = (m for m in self._batchers if m.labels != labels)
        self._batchers = (*others, metrics)
        return metrics

    def _observer(self, labels: ServableLabels) -> Observer:
        everyones = self._batch_observer
        if self._observer_of is None:
            return everyones
        own = self._observer_of(labels)

        def both(event: Event, /) -> None:
            everyones(event)
            own(event)

        return both

    def remove_batcher(self, batcher: Batcher) -> None:
        """Forget the batcher of a version that was unloaded."""
        self._batchers = tuple(m for m in self._batchers if m.batcher is not batcher)

    def expose_counter(
        self, name: str, text: str, labels: Sequence[str], values: CounterValues
    ) -> None:
        """Show numbers that another part keeps; ``values`` is called by ``render``, on its thread.
        ``name`` goes without prefix and ``_total``."""
        self._counters[name] = (text, labels, values)

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are known at scrape time only."""
        return []

    def collect(self) -> Iterator[Metric]:
        for count in self._first:
            count()
        batchers = self._batchers
        yield from request_families(list(self._requests.values()))
        yield from batch_families(batchers)
        yield from drop_families(batchers)
        yield device_family(self._pool.busy_seconds)
        yield version_family(self._version_states())
        for name, (text, labels, values) in list(self._counters.items()):
            family = CounterMetricFamily(f"tensorgate_{name}", text, labels=labels)
            for label_values, number in values().items():
                family.add_metric(label_values, number)
            yield family
