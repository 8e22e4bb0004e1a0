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
    """The oldest entry and others that cost little padding or have waited long enough."""
    assert policy.padding is not None
    patience, max_waste = policy.padding.patience, policy.padding.max_waste
    real = longest = rows = 0
    for entry, start, stop in batch.slices:
        rows += stop - start
        real += (stop - start) * entry.length
        longest = max(longest, entry.length)
        overdue = now - entry.enqueued_at >= patience
        assert entry is lane[0] or overdue or 1 - real / (longest * rows) <= max_waste + 1e-9
    assert batch.slices[0][0] is lane[0]
    taken = {entry: stop - start for entry, start, stop in batch.slices}
    ahead = 0
    for entry in in_window(policy, lane, before):
        if now - entry.enqueued_at >= patience and entry not in taken:
            left = entry.rows - before[entry]
            assert left > policy.max_batch_size - ahead, "passed over although it would fit"
        ahead += taken.get(entry, 0)


def in_window(policy: BatchPolicy, lane: list[Entry], before: dict[Entry, int]) -> list[Entry]:
    """The oldest entry and four batches' worth of rows behind it: what forming looks at."""
    window = lane[:1]
    rows = 0
    for entry in lane[1:]:
        if rows >= 4 * policy.max_batch_size:
            break
        window.append(entry)
        rows += entry.rows - before[entry]
    return window
