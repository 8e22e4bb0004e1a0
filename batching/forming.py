"""Which waiting items join a batch. Pure functions over one lane: items that may share a run.

First come, first served; rows are counted, not items. Where items are padded to each other, the
oldest is joined by those of lengths that go well with it (see ``lengths``).
"""

from __future__ import annotations

from batching.lane import E, Lane, Slice
from batching.lengths import take_by_length
from batching.policy import BatchPolicy
from batching.sizing import Limit


def take_slices(lane: Lane[E], policy: BatchPolicy, limit: Limit, now: float) -> list[Slice[E]]:
    """Remove the next batch from a lane with waiting rows. Never empty, and never over the limit
    but for an entry that runs alone, or is not split (``BatchPolicy.whole_rows``)."""
    if lane.single:
        return [lane.take_whole(lane.head())]
    if policy.padding is not None and policy.padding.inputs:
        return take_by_length(lane, policy, limit, now)
    return _take_in_order(lane, limit.rows, policy.whole_rows)


def _take_in_order(lane: Lane[E], room: int, whole_rows: int) -> list[Slice[E]]:
    """Only what no batch holds whole is split: splitting others would delay their first rows'
    answer to the second batch."""
    slices: list[Slice[E]] = []
    entries = lane.entries
    while entries and room > 0:
        entry = entries[0]
        if entry.queued:
            left = entry.rows - entry.taken
            if left > room:
                if entry.rows > whole_rows:
                    slices.append(lane.take_part(entry, room))
                    break
                if slices:
                    break
            slices.append((entry, entry.taken, entry.rows))
            entry.taken = entry.rows
            entry.queued = False
            lane.rows -= left
            room -= left
        else:
            lane.dead -= 1
        entries.popleft()
    return slices
