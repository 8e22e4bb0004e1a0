"""What a sealed batch of a lane must be, written down without regard to how it is found.

``lane`` holds the waiting entries of one key in order of arrival, ``before`` how many of their rows
had been sealed earlier.
"""

from __future__ import annotations

from batching import BatchPolicy, SealedBatch
from tests.batching.entries import Entry


def check_in_order(
    policy: BatchPolicy, batch: SealedBatch[Entry], lane: list[Entry], before: dict[Entry, int]
) -> None:
    """The lane's first entries, as many as fit; only the oversized are torn apart."""
    count = len(batch.slices)
    assert [entry for entry, _, _ in batch.slices] == lane[:count]
    entry, _, stop = batch.slices[-1]
    room = policy.max_batch_size - batch.rows
    if stop < entry.rows:
        assert entry.rows > policy.max_batch_size
        assert room == 0
    elif count < len(lane):
        following = lane[count]
        assert following.rows - before[following] > room
        assert room == 0 or following.rows <= policy.max_batch_size


def check_by_length(
    policy: BatchPolicy,
    batch: SealedBatch[Entry],
    lane: list[Entry],
    before: dict[Entry, int],
    now: float,
) -> None:
    """In order of arrival, whole but for the oversized; with the oldest once it is overdue."""
    assert policy.padding is not None
    entries = [entry for entry, _, _ in batch.slices]
    assert entries == [entry for entry in lane if entry in entries]
    assert entries[0] is lane[0] or now - lane[0].enqueued_at < policy.padding.patience
    assert all(stop == entry.rows for entry, _, stop in batch.slices) or len(entries) == 1
    if any(stop < entry.rows for entry, _, stop in batch.slices):
        assert batch.rows == policy.max_batch_size
    if len({entry.length for entry in lane}) == 1 and entries[0] is lane[0]:
        fitting = [e for e in lane if e.rows - before[e] <= policy.max_batch_size]
        assert entries == lane[:1] or entries == fitting[: len(entries)]
