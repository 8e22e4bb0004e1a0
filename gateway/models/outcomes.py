"""How a version's requests end, and whether a new version does worse than the old one."""

from __future__ import annotations

import math

from gateway.errors import Code, ServingError

_NOT_THE_MODELS_FAULT = frozenset({Code.UNAVAILABLE, Code.CANCELLED, Code.RESOURCE_EXHAUSTED})
_Z = 4.0
"""In standard deviations. A trial is looked at hundreds of times, and each look could raise a false
alarm: at 2.6, 99 % for a single look, one trial of equal versions in ten would end in one; now it
is one in a hundred."""
FEWEST_FAILURES = 3
"""One or two may be chance, however seldom the old version fails."""
UNKNOWN_FAILURE_RATIO = 0.5
"""What a version without enough requests of its own is taken to fail at most."""


class Outcomes:
    """Counts of answered and failed requests."""

    __slots__ = ("answered", "failed")

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0

    @property
    def total(self) -> int:
        return self.answered + self.failed

    def count(self, error: ServingError) -> None:
        """A request without an answer. What the queue refused or its client gave up says nothing
        of the model."""
        if error.code not in _NOT_THE_MODELS_FAULT:
            self.failed += 1


def fails_more(new: Outcomes, old: Outcomes, min_requests: int) -> bool:
    """Whether ``new`` fails a greater share of its requests than ``old``, beyond chance.

    Compares the ends of the two Wilson score intervals; says no before ``new`` had
    ``min_requests`` and a few failures.
    """
    if new.total < min_requests or new.failed < FEWEST_FAILURES:
        return False
    highest_of_old = _wilson(old)[1]
    if old.total < min_requests:
        highest_of_old = min(highest_of_old, UNKNOWN_FAILURE_RATIO)
    return _wilson(new)[0] > highest_of_old


def _wilson(outcomes: Outcomes) -> tuple[float, float]:
    """The interval that the true failure ratio lies in (Wilson score)."""
    n = outcomes.total
    if not n:
        return 0.0, 1.0
    ratio = outcomes.failed / n
    spread = _Z * math.sqrt(ratio * (1 - ratio) / n + (_Z / (2 * n)) ** 2)
    middle, scale = ratio + _Z * _Z / (2 * n), 1 + _Z * _Z / n
    return (middle - spread) / scale, (middle + spread) / scale
