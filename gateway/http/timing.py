"""The Server-Timing header of an inference answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from batching import RunTiming


class Timed(Protocol):
    """What was answered by a batch: an Item, or what is known of one in another process."""

    @property
    def timing(self) -> RunTiming | None: ...

    @property
    def queue_seconds(self) -> float: ...


def wants_timing(headers: Mapping[str, str]) -> bool:
    """Whether a request asks where the time went. The headers' names are in lower case, or the
    mapping does not care."""
    asked = headers.get("x-server-timing") or headers.get("server-timing")
    return asked is not None and asked.strip().lower() not in ("0", "false", "")


def server_timing(item: Timed) -> str:
    """Where an answered item's time went, in milliseconds.

    ``queue``: from submission until rows of it were sealed into a batch; ``batch_wait``: from there
    to the start of the run (hand-off, stacking, padding); ``run``: the batch's run; ``batch_rows``:
    how many rows shared it.
    """
    timing = item.timing
    assert timing is not None, "the item is answered"
    queue = item.queue_seconds * 1000
    wait = (timing.started_at - timing.sealed_at) * 1000
    run = (timing.finished_at - timing.started_at) * 1000
    return (
        f"queue;dur={queue:.3f}, batch_wait;dur={wait:.3f}, run;dur={run:.3f}, "
        f'batch_rows;desc="{timing.rows}"'
    )
