"""Finding the culprit of a failed batch: re-run halves until the ones at fault are alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from batching.errors import BatchFailed

P = TypeVar("P")
R = TypeVar("R")

Attempt = Callable[[Sequence[P]], Sequence[R | Exception]]
"""Runs parts together; one result each, in order, or raises for all of them."""


class RerunBudget:
    """Device seconds that re-runs may cost: a bucket that fills at the given rate.

    Shared by device threads without a lock: a lost update costs at most one run too many.
    """

    __slots__ = ("_capacity", "_rate", "_seconds", "_updated_at")

    def __init__(self, seconds_per_minute: float) -> None:
        self._capacity = seconds_per_minute
        self._rate = seconds_per_minute / 60
        self._seconds = seconds_per_minute
        self._updated_at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether another re-run may start at ``now``."""
        if self._updated_at is not None:
            gained = (now - self._updated_at) * self._rate
            self._seconds = min(self._capacity, self._seconds + gained)
        self._updated_at = now
        return self._seconds > 0

    def spend(self, seconds: float) -> None:
        """Account for a re-run. May go below zero, once."""
        self._seconds -= seconds


class Isolation(Generic[P, R]):
    """One failed batch's search. ``results`` holds a result or an exception per part.

    With one culprit among n parts it costs at most 2 log2(n) + 1 runs. A part that is not reached
    within the bounds gets BatchFailed: it cannot be told whether the fault is its own.
    """

    def __init__(
        self,
        attempt: Attempt[P, R],
        budget: RerunBudget,
        now: Callable[[], float],
        max_reruns: int,
    ) -> None:
        self._attempt = attempt
        self._budget = budget
        self._now = now
        self._runs_left = max_reruns
        self.reruns = 0

    def resolve(self, parts: Sequence[P], error: Exception) -> list[R | Exception]:
        """Results of ``parts``, which failed together with ``error``."""
        if len(parts) == 1:
            return [error]
        middle = len(parts) // 2
        left, right = parts[:middle], parts[middle:]
        results = self._run(left)
        # When the left half is fine the right half holds a culprit: running it whole is wasted.
        left_is_fine = not any(isinstance(result, Exception) for result in results)
        if left_is_fine and len(right) > 1:
            return results + self.resolve(right, error)
        return results + self._run(right)

    def _run(self, parts: Sequence[P]) -> list[R | Exception]:
        started = self._now()
        if self._runs_left <= 0 or not self._budget.allows(started):
            return [_unresolved() for _ in parts]
        self._runs_left -= 1
        self.reruns += 1
        failure: Exception | None = None
        results: list[R | Exception] = []
        try:
            results = list(self._attempt(parts))
        except Exception as error:  # noqa: BLE001 - whatever the function raises is its answer
            failure = error
        self._budget.spend(self._now() - started)
        return results if failure is None else self.resolve(parts, failure)


def _unresolved() -> BatchFailed:
    return BatchFailed("another request of the batch failed and this one could not be run again")
