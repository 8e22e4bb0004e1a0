"""Records of what a batcher did, and the protocol of those who want to know.

They are named tuples, which are made several times as fast as frozen dataclasses.

Observers are called on the event loop, in order, after the state has moved. They must not block;
an exception in one is logged and does not reach the batcher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class ReleaseReason(StrEnum):
    """Why a batch was sealed when it was."""

    FULL = "full"
    """It could hold no more of what was waiting."""
    IDLE = "idle"
    """A device was free, and this was all there was to take."""
    TIMEOUT = "timeout"
    """Its oldest row had reached the batch timeout."""
    DRAIN = "drain"
    """The batcher is being emptied."""
    ALONE = "alone"
    """The item may not share a run."""


class DropReason(StrEnum):
    """Why an item left without an answer."""

    FULL = "full"
    OVERLOAD = "overload"
    TOO_LARGE = "too_large"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class BatchReleased(NamedTuple):
    """A batch was sealed and handed to an executor."""

    reason: ReleaseReason
    rows: int
    items: int
    oldest_wait: float
    """Seconds that its oldest row had waited."""
    executor: str


class BatchDone(NamedTuple):
    """A batch came back; none follows when the executor itself failed. Times are in seconds.

    Items that were given up between sealing and running are not counted.
    """

    executor: str
    rows: int
    padded_rows: int
    """Rows that ran: ``rows`` rounded up to an allowed batch size."""
    items: int
    queue_waits: Sequence[float]
    """Per item, from submission to sealing."""
    assembly_seconds: float
    """From sealing to the start of the run: hand-off, stacking, padding."""
    run_seconds: float
    """All runs of the function, re-runs included."""
    padding_ratio: float
    """Share of the input entries that were padding."""
    reruns: int
    failed_items: int


class ItemDropped(NamedTuple):
    """An item was refused or removed without having run to its end."""

    reason: DropReason
    rows: int
    waited: float
    """Seconds since submission; 0 for a refused one."""


class BatchingDisabled(NamedTuple):
    """The function's outputs cannot be told apart by row: from now on each item runs alone."""

    reason: str


Event = BatchReleased | BatchDone | ItemDropped | BatchingDisabled


class Observer(Protocol):
    """Receives every record of one batcher."""

    def __call__(self, event: Event, /) -> None: ...


def ignore(event: Event, /) -> None:
    """The observer that does nothing."""


@dataclass(frozen=True, slots=True)
class BatcherStatistics:
    """A snapshot of one batcher; counts are since its start."""

    waiting_items: int
    waiting_rows: int
    running_batches: int
    submitted: int
    answered: int
    failed: int
    cancelled: int
    expired: int
    rejected: int
    batches: int
    rows: int
    padding_rows: int
    reruns: int
    enabled: bool
    """False when the policy, or an output without a row axis, makes each item run alone."""
