"""Triton's statistics of model versions: requests, runs, and where the time went.

They are counted from the batchers' records, so requests of every protocol are in them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from batching import BatchDone, Event, ItemDropped, Observer

MAX_BATCH_SIZES = 1024
"""Sizes that are told apart, so that clients whose requests run alone cannot grow the list."""

_NS = 1_000_000_000


class Duration:
    """How often something happened, and how long it took in all."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """``seconds`` of all ``count`` together."""
        self.count += count
        self.seconds += seconds

    def as_json(self) -> dict[str, int]:
        return {"count": self.count, "ns": round(self.seconds * _NS)}


class _Runs:
    """Runs of one batch size."""

    __slots__ = ("compute_infer", "compute_input", "compute_output")

    def __init__(self) -> None:
        self.compute_input = Duration()
        self.compute_infer = Duration()
        self.compute_output = Duration()


class VersionStatistics:
    """What happened to one model version since it was loaded. An observer of its batchers."""

    def __init__(self) -> None:
        self.last_inference_ms = 0
        self.inferences = 0
        self.executions = 0
        self.success = Duration()
        self.fail = Duration()
        self.queue = Duration()
        self.compute_input = Duration()
        self.compute_infer = Duration()
        self.compute_output = Duration()
        self._by_size: dict[int, _Runs] = {}

    def __call__(self, event: Event, /) -> None:
        if isinstance(event, BatchDone):
            self._batch(event)
        elif isinstance(event, ItemDropped):
            self.fail.add(event.waited)

    def answered(self, seconds: float) -> None:
        """A request took so long from the end of its run until its answer was put together."""
        self.compute_output.seconds += seconds
        self.success.seconds += seconds

    def as_json(self, name: str, version: str) -> dict[str, Any]:
        """Triton's ModelStatistics."""
        return {
            "name": name,
            "version": version,
            "last_inference": self.last_inference_ms,
            "inference_count": self.inferences,
            "execution_count": self.executions,
            "inference_stats": self._inference_stats(),
            "response_stats": {},
            "batch_stats": [self._batch_stats(size) for size in sorted(self._by_size)],
            "memory_usage": [],
        }

    def _batch(self, event: BatchDone) -> None:
        """Times of a batch count once for the run, and once for each request that it answered. A
        request that was split counts in its first batch, its times in all."""
        if not event.items:
            return
        began = len(event.queue_waits)
        failed = min(event.failed_items, began)
        parts, answered = event.items - event.failed_items, began - failed
        waited = sum(event.queue_waits)
        waited_in_vain = waited * failed / began if began else 0.0
        took = event.assembly_seconds + event.run_seconds
        self.executions += 1
        self.inferences += round(event.rows * parts / event.items)
        self.fail.add(waited_in_vain + took * event.failed_items, failed)
        if not parts:
            return
        self.last_inference_ms = time.time_ns() // 1_000_000
        self.success.add(waited - waited_in_vain + took * parts, answered)
        self.queue.add(waited - waited_in_vain, answered)
        self.compute_input.add(event.assembly_seconds * parts, answered)
        self.compute_infer.add(event.run_seconds * parts, answered)
        self.compute_output.add(0.0, answered)
        self._run(event)

    def _run(self, event: BatchDone) -> None:
        runs = self._by_size.get(event.rows)
        if runs is None:
            if len(self._by_size) >= MAX_BATCH_SIZES:
                return
            runs = self._by_size[event.rows] = _Runs()
        runs.compute_input.add(event.assembly_seconds)
        runs.compute_infer.add(event.run_seconds)
        runs.compute_output.add(0.0)

    def _inference_stats(self) -> dict[str, Any]:
        nothing = Duration().as_json()
        return {
            "success": self.success.as_json(),
            "fail": self.fail.as_json(),
            "queue": self.queue.as_json(),
            "compute_input": self.compute_input.as_json(),
            "compute_infer": self.compute_infer.as_json(),
            "compute_output": self.compute_output.as_json(),
            "cache_hit": nothing,
            "cache_miss": nothing,
        }

    def _batch_stats(self, size: int) -> dict[str, Any]:
        runs = self._by_size[size]
        return {
            "batch_size": size,
            "compute_input": runs.compute_input.as_json(),
            "compute_infer": runs.compute_infer.as_json(),
            "compute_output": runs.compute_output.as_json(),
        }


class Statistics:
    """Of all versions that are loaded. Lives on the event loop."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], VersionStatistics] = {}

    def of(self, name: str, version: str) -> VersionStatistics:
        """Those of one version, from zero when there were none."""
        return self._versions.setdefault((name, version), VersionStatistics())

    def observer(self, name: str, version: str) -> Observer:
        """What the batchers of a version tell their records."""
        return self.of(name, version)

    def keep(self, loaded: Mapping[tuple[str, str], object]) -> None:
        """Forget the versions that are not ``loaded`` any more."""
        for gone in self._versions.keys() - loaded.keys():
            del self._versions[gone]
