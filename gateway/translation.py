"""Errors of the batching library in the terms of the serving protocols."""

from __future__ import annotations

import batching
from gateway.errors import Code, ServingError

_CODES: tuple[tuple[type[batching.BatchingError], Code], ...] = (
    (batching.QueueFull, Code.UNAVAILABLE),
    (batching.Closed, Code.UNAVAILABLE),
    (batching.BatchFailed, Code.UNAVAILABLE),
    (batching.DeadlineExceeded, Code.DEADLINE_EXCEEDED),
    (batching.ItemTooLarge, Code.INVALID_ARGUMENT),
    (batching.IncompatibleItem, Code.INVALID_ARGUMENT),
)


def serving_error(error: batching.BatchingError) -> ServingError:
    """The client's view of a batching error.

    Capacity errors are UNAVAILABLE (503), as TF Serving's full batch queue is, with the time after
    which another try makes sense.
    """
    if isinstance(error, batching.QueueTimeout):
        # Triton's phrase (DynamicBatchScheduler), which its clients may look for.
        return ServingError(
            Code.UNAVAILABLE, "Request timeout expired", retry_after=error.retry_after
        )
    for kind, code in _CODES:
        if isinstance(error, kind):
            retry_after = 1.0 if code is Code.UNAVAILABLE else None
            if isinstance(error, batching.QueueFull):
                retry_after = error.retry_after
            return ServingError(code, str(error), retry_after=retry_after)
    return ServingError(Code.INTERNAL, "internal error")
