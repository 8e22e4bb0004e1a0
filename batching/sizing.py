"""How large a batch of one function on one executor should be: as large as still pays.

By the online fit ``seconds = fixed + per_unit * size`` a row costs ``fixed / size + per_unit``,
which more rows lower ever less. A batch ends where all of them together could lower it by no more
than ``WORTH``; what waits beyond is better off in the next batch, or on an executor that is free.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from batching.latency import LatencyModel
from batching.policy import BatchPolicy

WORTH = 0.03
"""The share of a row's time that is still worth waiting for more rows."""
OVERHEAD_SECONDS = 1e-4
"""What a batch costs outside its run: the way to the device and back, and on the event loop."""
PART_OF_FIXED = 0.5
"""Rows go to another free executor when they run for at least this share of a batch's fixed part:
so two halves are done a quarter sooner than the whole, for half again the device time at most."""
LONG_SECONDS = 0.1
"""Batches grow beyond the policy's first size only while they run no longer than this: others may
wait for the same executor."""
UNKNOWN_SECONDS = 0.05
"""Until the function is known, a batch is made to run about so long at most."""
GROWTH = 2
"""Batches of more than the first size are so many times larger than what has run well at most."""
TRIAL_FACTOR = 4
TRIAL_EVERY = 128
"""Of the batches that leave rows waiting, one in so many has another size, to learn from. At first
it is one in ..."""
FIRST_TRIALS = 2
"""... so many, and one in ..."""
TRIALS_AFTER_SURPRISE = 8
"""... so many when a trial took ..."""
SURPRISE = 1.5
"""... so many times longer or shorter than expected; each trial that did not doubles it."""
RETRY_EVERY = 256
"""Batches after which a size that failed is tried again."""
_LEAST = 1e-12


class Limit(NamedTuple):
    """What a batch may hold. Something that fits no batch but this one may exceed ``cells``."""

    rows: int
    cells: float = math.inf
    """Padded entries: rows times the longest."""
    fixed_cells: float | None = None
    """How many entries take as long as a batch's fixed part; None while unknown."""


class Sizer:
    """Learns from the runs on one executor. Size is rows, or entries where rows are padded."""

    def __init__(self, policy: BatchPolicy) -> None:
        self.latency = LatencyModel()
        self._policy = policy
        self._padded = policy.padding is not None
        # Whoever set a timeout wants full batches rather than early ones.
        self._eager = policy.adaptive and policy.batch_timeout == 0
        self._first = policy.first_batch_size or policy.max_batch_size
        self._most = policy.max_batch_size
        self._until_retry = 0
        self.rows = self._first
        """Rows of a full batch, as far as is known."""
        self._per_row = 1.0
        """Mean size of a row."""
        self._bound: float = math.inf if self._padded else self._first
        self._part = math.inf
        """The smallest batch that an executor more is worth."""
        self._short: float = math.inf
        """Batches up to this size cost more on the way than any other size could save."""
        self._easily: float = 0 if policy.adaptive or self._padded else math.inf
        """Up to so many waiting rows there is nothing to weigh: batches are ``_full`` at most."""
        self._full = self._limited(self._bound, self._most)
        self._cuts = 0
        """Batches that left rows waiting, since the last trial of another size."""
        self._trial_every = FIRST_TRIALS
        self._tried = 0
        """Rows of the trial whose outcome is awaited; 0 for none."""
        self._up = False

    def record(self, rows: int, cells: int, seconds: float) -> None:
        """Learn that ``rows`` rows, padded to ``cells`` entries in all, took ``seconds``."""
        if self._padded:
            self._per_row += 0.1 * (cells / rows - self._per_row)
        if self._until_retry:
            self._retry()
        if self._tried:
            self._judge(rows, seconds)
        if self.latency.record(cells if self._padded else rows, seconds):
            self._adapt()

    def too_large(self, rows: int) -> None:
        """A batch of ``rows`` rows failed, and its parts did not: make smaller ones for a while."""
        if not self._policy.adaptive:
            return
        self._most = max(1, min(self._most, rows // 2))
        self._until_retry = RETRY_EVERY
        self._adapt()

    def limit(self, waiting: int, free: int = 1) -> Limit:
        """For the next batch, when ``waiting`` rows wait and ``free`` executors could have them.

        Busy ones are not counted, however soon they are done: rows left for them would go in small
        batches ever after, as answered callers come back in the groups they were answered in.
        """
        if free == 1 and waiting <= self._easily:
            return self._full
        return self._limited(self._size(waiting, math.ceil(waiting / free)), waiting)

    def _limited(self, size: float, waiting: int) -> Limit:
        if not self._padded:
            return Limit(self._allowed(int(size), waiting))
        fixed, per_cell = self.latency.parameters()
        if not self.latency.settled:
            return Limit(min(self._first, self._most), size)
        return Limit(self._most, size, (fixed + OVERHEAD_SECONDS) / max(per_cell, _LEAST))

    def _retry(self) -> None:
        self._until_retry -= 1
        if not self._until_retry and self._most < self._policy.max_batch_size:
            self._most = min(2 * self._most, self._policy.max_batch_size)
            self._until_retry = RETRY_EVERY
            self._adapt()

    def _size(self, waiting: int, share: int) -> float:
        size = self._bound
        if share < waiting and self._eager:
            size = min(size, max(self._part, share * self._per_row))
        if waiting * self._per_row <= size or size <= self._short:
            return size
        self._cuts += 1
        if self._cuts < self._trial_every:
            return size
        self._cuts = 0
        trial = self._trial(size, waiting * self._per_row)
        if self.latency.settled:
            self._trial_every = min(TRIAL_EVERY, 2 * self._trial_every)
            self._tried = 0 if self._padded else int(trial)
        return trial

    def _trial(self, size: float, waiting: float) -> float:
        """Another size, smaller and larger in turn: with one size only nothing could be learned."""
        smaller = max(self._per_row, size / TRIAL_FACTOR)
        larger = min(size * (2 if self.latency.settled else TRIAL_FACTOR), waiting, self._proven())
        self._up = not self._up
        return larger if larger > size and (self._up or smaller >= size) else smaller

    def _judge(self, rows: int, seconds: float) -> None:
        if rows == self._tried:
            self._tried = 0
            expected = self.latency.predict(rows)
            if not expected / SURPRISE < seconds < expected * SURPRISE:
                self._trial_every = TRIALS_AFTER_SURPRISE

    def _proven(self) -> float:
        """The largest size that may be tried."""
        return min(
            self._most * self._per_row,
            max(self._first * self._per_row, GROWTH * self.latency.largest),
        )

    def _adapt(self) -> None:
        # The first run of all may have taken any time.
        if not self._policy.adaptive or self.latency.runs < 2:
            return
        fixed, per_unit = self.latency.parameters()
        per_unit = max(per_unit, _LEAST)
        fixed += OVERHEAD_SECONDS
        most, first = self._most * self._per_row, self._first * self._per_row
        self._part = (PART_OF_FIXED * (fixed - OVERHEAD_SECONDS) + OVERHEAD_SECONDS) / per_unit
        self._short = OVERHEAD_SECONDS / (WORTH * per_unit)
        if self.latency.settled:
            worthwhile = fixed / (WORTH * per_unit)
            longest = max(first, LONG_SECONDS / per_unit)
            bound = min(worthwhile, longest)
        else:
            bound = max(self._short, min(first, UNKNOWN_SECONDS / per_unit))
        bound = min(bound, self._proven(), most)
        if self._policy.allowed_batch_sizes and not self._padded:
            bound = self._policy.round_up(math.ceil(bound))
        self._bound = max(self._per_row, bound)
        self.rows = min(self._most, max(1, round(self._bound / self._per_row)))
        self._full = self._limited(self._bound, self._most)
        if not self._policy.allowed_batch_sizes:
            short = self._bound <= self._short
            self._easily = math.inf if short else self._bound / self._per_row

    def _allowed(self, rows: int, waiting: int) -> int:
        """So many rows, or the allowed size below; for a last batch that will not be full, of these
        sizes the one that costs least a row."""
        sizes = self._policy.allowed_batch_sizes
        if not sizes:
            return max(1, min(rows, self._most))
        fitting = [size for size in sizes if size <= rows] or list(sizes[:1])
        if waiting >= fitting[-1] or not (self.latency.settled and self._eager):
            return fitting[-1]
        predict = self.latency.predict
        return min(
            fitting, key=lambda size: (predict(size) + OVERHEAD_SECONDS) / min(size, waiting)
        )
