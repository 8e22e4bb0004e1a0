"""What is known of a function's run times, by executor, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Collection

from batching.latency import LatencyModel
from batching.observe import ReleaseReason
from batching.policy import BatchPolicy
from batching.runner import BatchJob, BatchOutcome
from batching.sizing import Limit, Sizer


class Speeds:
    """Learns from every batch of one batcher."""

    def __init__(self, policy: BatchPolicy, executors: Collection[str]) -> None:
        self._sizers = {executor: Sizer(policy) for executor in executors}
        only = next(iter(self._sizers.values()))
        # Then rows are all there is to learn, and from all batches.
        self._only = only if len(executors) == 1 and policy.padding is None else None
        self.latency = self._only.latency if self._only else LatencyModel()
        """By rows, of all executors."""

    @property
    def batch_rows(self) -> int:
        """Rows of a full batch, as large as batches are worth making by what is known now."""
        if self._only is not None:
            return self._only.rows
        return max([sizer.rows for sizer in self._sizers.values()])

    def limit(self, executor: str, waiting: int, free: int) -> Limit:
        """Of the next batch on an executor; see ``Sizer.limit``."""
        return self._sizers[executor].limit(waiting, free)

    def predict(self, rows: int) -> float:
        """Expected seconds of a batch; inf while no batch has run."""
        return self.latency.predict(rows) if self.latency.learned else math.inf

    def learn(self, job: BatchJob, outcome: BatchOutcome) -> None:
        """A batch came back."""
        if outcome.reruns:
            if not any(isinstance(result, Exception) for result in outcome.results):
                self._sizers[job.executor].too_large(outcome.rows)
        elif outcome.runs:
            if self._only is not None:
                self._only.record(outcome.padded_rows, 0, outcome.run_seconds)
            else:
                self._learn_from_one_of_several(job, outcome)

    def _learn_from_one_of_several(self, job: BatchJob, outcome: BatchOutcome) -> None:
        rows = outcome.padded_rows
        self.latency.record(rows, outcome.run_seconds)
        if job.batch.reason is not ReleaseReason.ALONE:
            longest = max([item.length for item, _, _ in outcome.parts])
            self._sizers[job.executor].record(rows, rows * longest, outcome.run_seconds)
