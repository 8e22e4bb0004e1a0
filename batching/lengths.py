"""Batches of items that are padded to the longest among them.

A batch costs ``fixed + rows * longest``, counted in entries. What of that its rows do not need
themselves, the fixed part and the padding, is its excess. Of all batches that hold the oldest item
the one with the least excess a row is taken: so lengths far from each other part ways as soon as
enough of each wait, and stay together where a second batch would cost more than the padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching.lane import E, Lane, Slice
from batching.policy import BatchPolicy
from batching.sizing import Limit

WINDOW_ROWS = 256
"""About how many waiting rows are looked at, the oldest ones."""
MOST_LENGTHS = 32
"""About how many different longest rows are tried."""
FIXED_ROWS = 8
"""While the fit knows nothing, the fixed part is taken to be that of so many average rows."""

Array = NDArray[Any]


def take_by_length(lane: Lane[E], policy: BatchPolicy, limit: Limit, now: float) -> list[Slice[E]]:
    """Remove a batch of lengths that go well together from a lane with waiting rows."""
    assert policy.padding is not None
    oldest = lane.head()
    left = oldest.rows - oldest.taken
    if left > limit.rows and oldest.rows > policy.whole_rows:
        return [lane.take_part(oldest, limit.rows)]
    window = _window(lane, limit.rows)
    overdue = now - oldest.enqueued_at >= policy.padding.patience
    chosen = _choose(window, policy, limit, overdue) if left < limit.rows else [0]
    slices = [lane.take_whole(window[position]) for position in chosen]
    lane.compact()
    return slices


def _window(lane: Lane[E], most: int) -> list[E]:
    """The oldest entry, and those behind it that fit a batch of ``most`` rows whole."""
    window: list[E] = []
    rows = 0
    for entry in lane.entries:
        left = entry.rows - entry.taken
        if entry.queued and (not window or left <= most):
            window.append(entry)
            rows += left
            if rows >= max(WINDOW_ROWS, most):
                break
    return window


def _choose(window: list[E], policy: BatchPolicy, limit: Limit, overdue: bool) -> list[int]:
    """Positions in the window of the entries to take, in order of arrival; the first is among them
    when it is overdue."""
    rows = np.array([entry.rows - entry.taken for entry in window])
    lengths = np.array([entry.length for entry in window])
    if (lengths == lengths[0]).all() and not policy.allowed_batch_sizes:
        return list(range(_fitting(rows, lengths[0], limit)))
    fixed = limit.fixed_cells
    if fixed is None:
        fixed = FIXED_ROWS * float(lengths.mean())
    order = np.argsort(-lengths[overdue:], kind="stable") + overdue
    candidates = _Candidates(rows[order], lengths[order])
    if overdue:
        start, stop = candidates.cheapest(limit, policy, fixed, int(rows[0]), int(lengths[0]))
        return [0, *sorted(order[start:stop].tolist())]
    start, stop = candidates.cheapest(limit, policy, fixed)
    return sorted(order[start:stop].tolist())


def _fitting(rows: Array, length: int, limit: Limit) -> int:
    """How many of the first entries fit a batch; at least one."""
    sums = rows.cumsum()
    return max(1, int(((sums <= limit.rows) & (sums * length <= limit.cells)).sum()))


class _Candidates:
    """Entries from the longest to the shortest. A batch is a range of them: whoever is left out
    between two that are in would fit better than the shorter one."""

    def __init__(self, rows: Array, lengths: Array) -> None:
        self._lengths = lengths
        self._rows = np.concatenate(([0], rows.cumsum()))
        self._entries = np.concatenate(([0], (rows * lengths).cumsum()))

    def cheapest(
        self,
        limit: Limit,
        policy: BatchPolicy,
        fixed: float,
        own_rows: int = 0,
        own_length: int = 0,
    ) -> tuple[int, int]:
        """The range to join an entry of ``own_rows``, with the least excess a row; without such an
        entry it is not empty."""
        starts = self._starts(own_length)
        longest = np.maximum(np.append(self._lengths, own_length)[starts], own_length)
        rows = own_rows + self._rows[None, :] - self._rows[starts, None]
        real = own_rows * own_length + self._entries[None, :] - self._entries[starts, None]
        cells = longest[:, None] * _padded_rows(rows, policy)
        fits = (rows > 0) & (rows <= limit.rows) & (cells <= limit.cells)
        if not fits.any():
            return (int(starts[-1]),) * 2 if own_rows else (0, 1)
        fits &= np.arange(len(self._rows))[None, :] >= starts[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = np.where(fits, (fixed + cells - real) / rows, np.inf)
        start, stop = divmod(int(excess.argmin()), len(self._rows))
        return int(starts[start]), stop

    def _starts(self, own_length: int) -> Array:
        """Where ranges may begin: at the first entry of a length, down to the first that is not
        longer than ``own_length``."""
        lengths = self._lengths
        last = int(np.searchsorted(-lengths, -own_length))
        firsts = np.flatnonzero(np.diff(lengths[:last], prepend=-1))
        if len(firsts) > MOST_LENGTHS:
            firsts = firsts[np.linspace(0, len(firsts) - 1, MOST_LENGTHS).astype(int)]
        return np.append(firsts, last) if own_length else firsts


def _padded_rows(rows: Array, policy: BatchPolicy) -> Array:
    sizes = policy.allowed_batch_sizes
    if not sizes:
        return rows
    return np.asarray(sizes)[np.minimum(np.searchsorted(sizes, rows), len(sizes) - 1)]
