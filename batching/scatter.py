"""Answers of items that were split over several batches."""

from __future__ import annotations

import numpy as np

from batching.item import Item, Outputs, RunTiming


def deliver(part: tuple[Item, int, int], outputs: Outputs, timing: RunTiming) -> bool:
    """Keep a part of a split item until the others are there, then complete the item.

    Returns whether the item is complete. Parts may arrive in any order.
    """
    item, start, stop = part
    if item.parts is None:
        item.parts = {}
    item.parts[start] = (stop - start, outputs)
    if sum(rows for rows, _ in item.parts.values()) < item.rows:
        return False
    rejoined = _rejoined([item.parts[start][1] for start in sorted(item.parts)])
    item.parts = None
    item.complete(rejoined, timing)
    return True


def _rejoined(parts: list[Outputs]) -> Outputs:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
