"""Whether a request may wait: bounded by rows, and by the time it would have to wait."""

from __future__ import annotations

import math
from typing import NamedTuple

from batching.errors import QueueFull
from batching.latency import LatencyModel
from batching.observe import DropReason
from batching.policy import BatchPolicy


class Backlog(NamedTuple):
    """What waits in a queue."""

    rows: int
    items: int
    single: bool
    """Each item runs by itself."""
    batch_rows: int
    """Rows of a full batch."""
    trials: int = 0
    """Batches more than the rows need, which may be made to learn from."""


class Refusal(NamedTuple):
    """Why a request may not wait."""

    reason: DropReason
    error: QueueFull


def predicted_wait(backlog: Backlog, rows: int, latency: LatencyModel, executors: int) -> float:
    """Seconds until ``rows`` new rows behind the backlog would be answered.

    Every executor is taken to have just started a batch, and partial batches count as full:
    counted at their present size, all of them would finish one batch late. 0 while nothing is
    learned about the function.
    """
    fixed, per_row = latency.parameters()
    if backlog.single:
        mean_rows = (backlog.rows + rows) / (backlog.items + 1)
        rounds = math.ceil((backlog.items + 1) / executors) + 1
        return rounds * (fixed + per_row * mean_rows)
    batches = math.ceil((backlog.rows + rows) / backlog.batch_rows)
    rounds = math.ceil(batches / executors) + 1
    return rounds * (fixed + per_row * backlog.batch_rows) + backlog.trials * fixed


def refusal(
    backlog: Backlog,
    rows: int,
    time_left: float,
    policy: BatchPolicy,
    latency: LatencyModel,
    executors: int,
) -> Refusal | None:
    """Why a request of ``rows`` rows may not wait behind the backlog; None when it may.

    ``time_left`` is in seconds, to the request's deadline.
    """
    if _is_full(backlog, rows, policy.max_queue_rows):
        retry_after = predicted_wait(backlog, 0, latency, executors)
        waiting = f"{backlog.items} requests" if backlog.single else f"{backlog.rows} rows"
        message = f"{waiting} wait already; at most {policy.max_queue_rows} may"
        return Refusal(DropReason.FULL, QueueFull(message, retry_after=retry_after))
    budget = policy.queue_budget if policy.queue_budget < time_left else time_left
    if budget == math.inf:
        return None
    wait = predicted_wait(backlog, rows, latency, executors)
    if wait <= budget:
        return None
    message = (
        f"the answer would take {wait * 1000:.0f} ms and may take {budget * 1000:.0f} ms "
        f"({backlog.rows} rows wait)"
    )
    return Refusal(DropReason.OVERLOAD, QueueFull(message, retry_after=wait - budget))


def _is_full(backlog: Backlog, rows: int, limit: int) -> bool:
    """Whether there is no room behind the backlog. Where nothing waits there always is."""
    if backlog.single:
        return backlog.items >= limit
    return backlog.rows > 0 and backlog.rows + rows > limit
