"""Everything that batching raises, by whose fault it is. No transport codes here."""

from __future__ import annotations


class BatchingError(Exception):
    """Base of every error of this package."""


class QueueFull(BatchingError):
    """No room: the row bound is reached, or the predicted wait passes what the item can spend."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds until the present backlog should be gone (an estimate)."""


class QueueTimeout(QueueFull):
    """The item waited longer than its queue time-out."""


class ItemTooLarge(BatchingError):
    """The item can never run under this policy, however long it waits."""

    def __init__(self, rows: int, limit: int) -> None:
        super().__init__(f"{rows} rows in one request; at most {limit} are allowed")
        self.rows = rows
        self.limit = limit


class IncompatibleItem(BatchingError):
    """The item's inputs do not fit each other or the padding rules."""


class DeadlineExceeded(BatchingError):
    """The item's deadline passed before its answer was there."""


class BatchFailed(BatchingError):
    """The batch failed and blame could not be put on this item; ``__cause__`` has the reason."""


class Closed(BatchingError):
    """The batcher takes no more items, or was closed before this one was answered."""
