"""The numbers themselves. Written on the event loop only, read from any thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batching import (
    BatchDone,
    Batcher,
    BatchReleased,
    DropReason,
    Event,
    ItemDropped,
    Observer,
    ReleaseReason,
)
from gateway.histogram import Histogram

SECONDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
RATIOS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class ServableLabels(NamedTuple):
    model: str
    version: str
    signature: str


class VersionState(NamedTuple):
    """What a model version does at the moment."""

    model: str
    version: int
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END."""


class BatchMetrics:
    """One batcher's counts; it is that batcher's observer, and passes every record on."""

    def __init__(self, labels: ServableLabels, also: Observer) -> None:
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
        self._also = also

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, BatchDone):
            self.queue_wait.observe_all(event.queue_waits)
            self.run.observe(event.run_seconds)
            self.padding.observe(event.padding_ratio)
            self.reruns += event.reruns
            self.failed_items += event.failed_items
        elif isinstance(event, BatchReleased):
            self.released[event.reason] += 1
            self.rows.observe(event.rows)
        elif isinstance(event, ItemDropped):
            self.dropped[event.reason] += 1
        self._also(event)


class RequestMetrics:
    """Requests of one model and API by how they ended, and how long they took."""

    def __init__(self, model: str, api: str) -> None:
        self.model = model
        self.api = api
        self.seconds = Histogram(SECONDS)
        self.by_status: dict[int | str, int] = {}
        """Keys are HTTP statuses, or canonical codes' names where the protocol is gRPC."""

    def answered(self, seconds: Sequence[float]) -> None:
        """``record`` of many with status 200."""
        self.seconds.observe_all(seconds)
        self.by_status[200] = self.by_status.get(200, 0) + len(seconds)

    def record(self, status: int | str, seconds: float) -> None:
        self.seconds.observe(seconds)
        self.by_status[status] = self.by_status.get(status, 0) + 1
