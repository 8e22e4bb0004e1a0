"""What happens to a sealed batch on its executor: drop the gone, assemble, run, split, isolate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching.errors import BatchFailed
from batching.isolation import Isolation, RerunBudget
from batching.item import Item, Outputs, RunTiming
from batching.observe import BatchDone, ReleaseReason
from batching.policy import BatchPolicy
from batching.queue import SealedBatch
from batching.tensors import Assembler, UnsplittableOutput

RunFunction = Callable[[dict[str, NDArray[Any]]], Outputs]
Part = tuple[Item, int, int]


@dataclass(slots=True)
class BatchOutcome:
    """What came of a batch: one result per part that was run, in the order of ``parts``."""

    parts: list[Part] = field(default_factory=list)
    results: Sequence[Outputs | Exception] = ()
    rows: int = 0
    """Rows of ``parts``: those whose items were still wanted when the run began."""
    started_at: float = 0.0
    finished_at: float = 0.0
    run_seconds: float = 0.0
    runs: int = 0
    reruns: int = 0
    padded_rows: int = 0
    padding_ratio: float = 0.0
    unsplittable: str = ""
    """Why outputs could not be told apart by row; empty when they could."""


class BatchJob:
    """A sealed batch on its way through an executor. Called once, on the executor's thread."""

    __slots__ = (
        "_assembler",
        "_budget",
        "_now",
        "_outcome",
        "_policy",
        "_run",
        "batch",
        "executor",
    )

    def __init__(
        self,
        batch: SealedBatch[Item],
        run: RunFunction,
        assembler: Assembler,
        policy: BatchPolicy,
        budget: RerunBudget,
        now: Callable[[], float],
        executor: str,
    ) -> None:
        self.batch = batch
        self.executor = executor
        self._run = run
        self._assembler = assembler
        self._policy = policy
        self._budget = budget
        self._now = now
        self._outcome = BatchOutcome()

    def items(self) -> list[Item]:
        """The items with rows in this batch."""
        return [item for item, _, _ in self.batch.slices]

    def timing(self, outcome: BatchOutcome) -> RunTiming:
        """What its items are told of the batch."""
        return RunTiming(
            self.batch.sealed_at,
            outcome.started_at,
            outcome.finished_at,
            outcome.rows,
            outcome.padded_rows,
            self.executor,
        )

    def record(self, outcome: BatchOutcome, failed_items: int) -> BatchDone:
        """What observers are told of the batch."""
        batch = self.batch
        return BatchDone(
            executor=self.executor,
            rows=outcome.rows,
            padded_rows=outcome.padded_rows,
            items=len(outcome.parts),
            queue_waits=[
                batch.sealed_at - item.enqueued_at for item, start, _ in outcome.parts if start == 0
            ],
            assembly_seconds=outcome.started_at - batch.sealed_at,
            run_seconds=outcome.run_seconds,
            padding_ratio=outcome.padding_ratio,
            reruns=outcome.reruns,
            failed_items=failed_items,
        )

    def __call__(self) -> BatchOutcome:
        outcome = self._outcome
        # Cancelled or expired between sealing and now. Later ones run and are not answered.
        outcome.parts = [part for part in self.batch.slices if not part[0].finished]
        outcome.rows = sum([stop - start for _, start, stop in outcome.parts])
        outcome.started_at = self._now()
        if outcome.parts:
            outcome.results = self._results(outcome.parts)
        outcome.finished_at = self._now()
        return outcome

    def _results(self, parts: list[Part]) -> Sequence[Outputs | Exception]:
        try:
            return self._together(parts)
        except Exception as error:  # noqa: BLE001 - whatever the function raises is an answer
            if len(parts) == 1:
                return [error]
            if not self._policy.isolate:
                return [_not_isolated(error) for _ in parts]
            search: Isolation[Part, Outputs] = Isolation(
                self._again, self._budget, self._now, self._policy.max_reruns
            )
            results = search.resolve(parts, error)
            self._outcome.reruns += search.reruns
            return results

    def _again(self, parts: Sequence[Part]) -> Sequence[Outputs | Exception]:
        """Run what is still wanted of ``parts``: items may expire while a culprit is looked for."""
        wanted = [part for part in parts if not part[0].finished]
        results = iter(self._together(wanted) if wanted else ())
        return [
            BatchFailed("given up meanwhile") if part not in wanted else next(results)
            for part in parts
        ]

    def _together(self, parts: Sequence[Part]) -> Sequence[Outputs | Exception]:
        """Run parts together, or one by one when their outputs cannot be told apart. Raises what
        the function raises for all of them."""
        try:
            return self._attempt(parts)
        except UnsplittableOutput as error:
            self._outcome.unsplittable = str(error)
            if not self._policy.isolate:
                return [_not_isolated(error) for _ in parts]
            return [self._by_itself(part) for part in parts]

    def _attempt(self, parts: Sequence[Part]) -> Sequence[Outputs]:
        """Run parts together. Raises what the function raises, or UnsplittableOutput."""
        assembler = self._assembler
        whole = len(parts) == 1 and _is_whole(parts[0])
        if self.batch.reason is ReleaseReason.ALONE or (whole and assembler.fits(parts[0])):
            batch = assembler.alone(parts[0])
            return [self._timed(batch.inputs, batch.padded_rows, 0.0)]
        batch = assembler.assemble(parts)
        outputs = self._timed(batch.inputs, batch.padded_rows, batch.padding_ratio)
        if whole and batch.padded_rows == batch.rows:
            return [assembler.trim_whole(batch, outputs, parts[0])]
        return assembler.split(batch, outputs, parts)

    def _by_itself(self, part: Part) -> Outputs | Exception:
        if not _is_whole(part):
            return BatchFailed("the outputs of a request that was split could not be put together")
        batch = self._assembler.alone(part)
        self._outcome.reruns += 1
        try:
            return self._timed(batch.inputs, batch.padded_rows, 0.0)
        except Exception as error:  # noqa: BLE001 - its own error
            return error

    def _timed(
        self, inputs: dict[str, NDArray[Any]], padded_rows: int, padding_ratio: float
    ) -> Outputs:
        outcome = self._outcome
        started = self._now()
        if outcome.runs == 0:
            outcome.started_at = started
            outcome.padded_rows = padded_rows
            outcome.padding_ratio = padding_ratio
        outcome.runs += 1
        try:
            outputs = self._run(inputs)
        finally:
            outcome.run_seconds += self._now() - started
        return {name: np.asarray(output) for name, output in outputs.items()}


def _is_whole(part: Part) -> bool:
    item, start, stop = part
    return stop - start == item.rows


def _not_isolated(error: Exception) -> BatchFailed:
    failed = BatchFailed("the batch failed and its requests may not be run again")
    failed.__cause__ = error
    return failed
