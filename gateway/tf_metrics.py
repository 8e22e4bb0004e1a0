"""TF Serving's metrics, for dashboards and alerts that were made for it.

Label values come from the configuration and from code, never from a request: what was asked of a
model that is not configured is counted under an empty name (TF Serving: under the name asked for).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath

from batching import BatchDone, Event
from gateway.histogram import Histogram
from gateway.tf_exposition import LATENCIES, SIZES, Counter, Distribution

_SERVING = ":tensorflow:serving:"
_BATCHING = ":tensorflow:serving:batching_session:"
_LOADER = ":tensorflow:cc:saved_model:"
_CORE = ":tensorflow:core:"
_NO_LABELS = ()
_MICROSECONDS = 1e6
"""In a second, the unit that durations are given in."""


class TfServingMetrics:
    """Counts of one process. Call its methods on the event loop; ``render`` on any thread.

    Durations are given in seconds and shown in microseconds.
    """

    content_type = "text/plain"

    def __init__(self) -> None:
        self._request_count = Counter(_SERVING + "request_count", "model_name", "status")
        self._request_latency = Distribution(
            _SERVING + "request_latency",
            LATENCIES,
            "model_name",
            "API",
            "entrypoint",
            scale=_MICROSECONDS,
        )
        self._runtime_latency = Distribution(
            _SERVING + "runtime_latency",
            LATENCIES,
            "model_name",
            "API",
            "runtime",
            scale=_MICROSECONDS,
        )
        self._example_counts = Distribution(_SERVING + "request_example_counts", SIZES, "model")
        self._example_total = Counter(_SERVING + "request_example_count_total", "model")
        self._warmup_latency = Distribution(
            _SERVING + "model_warmup_latency",
            LATENCIES,
            "model_path",
            "status",
            scale=_MICROSECONDS,
        )
        self._warmup_records = Counter(
            _SERVING + "model_warmup_records_read", "model_path", "status"
        )
        self._request_logs = Counter(_SERVING + "request_log_count", "model_name", "status_code")
        self._queuing_latency = Distribution(
            _BATCHING + "queuing_latency", LATENCIES, scale=_MICROSECONDS
        )
        self._wrapped_runs = Counter(_BATCHING + "wrapped_run_count")
        self._padding_size = Distribution(_BATCHING + "padding_size", (0.0, *SIZES))
        self._input_batch_size = Distribution(_BATCHING + "input_batch_size", SIZES)
        self._processed_batch_size = Distribution(_BATCHING + "processed_batch_size", SIZES)
        self._load_attempts = Counter(_LOADER + "load_attempt_count", "model_path", "status")
        self._load_latency = Counter(_LOADER + "load_latency", "model_path")
        self._graph_runs = Counter(_CORE + "graph_runs")
        self._graph_run_time = Counter(_CORE + "graph_run_time_usecs")
        self._first: list[Callable[[], None]] = []

    def before_reading(self, count: Callable[[], None]) -> None:
        """Have ``count`` called by ``render``, on its thread, before it looks at the numbers."""
        self._first.append(count)

    def request(
        self, model: str, status: str, api: str, seconds: float, entrypoint: str = "REST"
    ) -> None:
        """A request was answered; ``status`` is a canonical code's name. Only successes have a
        latency. ``entrypoint`` is ``REST`` or ``GRPC``."""
        self._request_count.add((model, status))
        if status == "OK":
            self._request_latency.observe((model, api, entrypoint), seconds)

    def answered(self, model: str, api: str, seconds: Sequence[float]) -> None:
        """``request`` of many that succeeded."""
        self._request_count.add((model, "OK"), len(seconds))
        self._request_latency.of((model, api, "REST")).observe_all(seconds)

    def runtimes(self, model: str, api: str) -> Histogram:
        """Where the framework's part in an answer is observed, in seconds. The runtime's name is
        TF Serving's, for every model format."""
        return self._runtime_latency.of((model, api, "TF1"))

    def examples(self, model: str, number: int) -> None:
        """Examples of one classify or regress request."""
        self._example_counts.observe((model,), number)
        self._example_total.add((model,), number)

    def batch(self, event: Event, /) -> None:
        """A batcher's observer, for all of them: TF Serving does not tell them apart."""
        if not isinstance(event, BatchDone):
            return
        self._queuing_latency.of(_NO_LABELS).observe_all(event.queue_waits)
        runs = 1 + event.reruns
        self._wrapped_runs.add(_NO_LABELS, runs)
        self._graph_runs.add(_NO_LABELS, runs)
        self._graph_run_time.add(_NO_LABELS, event.run_seconds * 1e6)
        self._padding_size.observe(_NO_LABELS, event.padded_rows - event.rows)
        self._input_batch_size.observe(_NO_LABELS, event.rows)
        self._processed_batch_size.observe(_NO_LABELS, event.padded_rows)

    def load(self, model_path: PurePath, status: str, seconds: float) -> None:
        """One attempt to load a version folder; ``status`` is a canonical code's name."""
        path = str(model_path)
        self._load_attempts.add((path, "success" if status == "OK" else "fail"))
        self._load_latency.add((path,), seconds * 1e6)

    def warmup(self, model_path: PurePath, status: str, seconds: float, records: int) -> None:
        """A version's warm-up file was replayed; ``status`` is a canonical code's name."""
        labels = (str(model_path), status)
        self._warmup_latency.observe(labels, seconds)
        self._warmup_records.add(labels, records)

    def request_logged(self, model: str, status: str) -> None:
        """A request was written to the request log; ``status`` is that of its answer."""
        self._request_logs.add((model, status))

    def total(self, name: str) -> int:
        """The counter that TF Serving calls ``name`` (``/tensorflow/serving/request_count``), all
        labels together; 0 when there is none."""
        self._count_pending()
        shown = name.replace("/", ":")
        counters = (f for f in vars(self).values() if isinstance(f, Counter))
        return next((round(counter.total) for counter in counters if counter.name == shown), 0)

    def render(self) -> bytes:
        """All families, whether they have numbers yet or not."""
        self._count_pending()
        families = (f for f in vars(self).values() if isinstance(f, Counter | Distribution))
        return "".join(f"{line}\n" for family in families for line in family.lines()).encode()

    def _count_pending(self) -> None:
        for count in self._first:
            count()
