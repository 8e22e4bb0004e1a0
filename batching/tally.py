"""Counts since a batcher's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batching.observe import BatcherStatistics
from batching.queue import BatchQueue
from batching.runner import BatchOutcome


@dataclass(slots=True)
class Tally:
    submitted: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    rejected: int = 0
    batches: int = 0
    rows: int = 0
    padding_rows: int = 0
    reruns: int = 0

    def batch(self, outcome: BatchOutcome) -> None:
        self.batches += 1
        self.rows += outcome.rows
        self.padding_rows += max(0, outcome.padded_rows - outcome.rows)
        self.reruns += outcome.reruns

    def snapshot(self, queue: BatchQueue[Any], running: int) -> BatcherStatistics:
        return BatcherStatistics(
            waiting_items=queue.items,
            waiting_rows=queue.rows,
            running_batches=running,
            submitted=self.submitted,
            answered=self.answered,
            failed=self.failed,
            cancelled=self.cancelled,
            expired=self.expired,
            rejected=self.rejected,
            batches=self.batches,
            rows=self.rows,
            padding_rows=self.padding_rows,
            reruns=self.reruns,
            enabled=not queue.single,
        )
