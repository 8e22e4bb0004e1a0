"""One request on its way through a batcher, and its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Hashable, Mapping
from typing import Any, NamedTuple

from numpy.typing import ArrayLike, NDArray

Inputs = Mapping[str, ArrayLike]
"""By name: an array whose axis 0 counts rows, or a list of rows."""
Outputs = Mapping[str, NDArray[Any]]
"""By name: an array whose axis 0 counts rows."""


class RunTiming(NamedTuple):
    """The batch that answered an item. Times are seconds of the batcher's clock."""

    sealed_at: float
    started_at: float
    finished_at: float
    rows: int
    padded_rows: int
    executor: str


class Item:
    """A request's rows and its outcome, which an event loop's future or a callback tells of.

    Await it for the outputs, unless a callback was given. Cancelling it, or the task that awaits
    it, takes its waiting rows out of the queue at once.
    """

    __slots__ = (
        "_cancelled",
        "_discard",
        "_future",
        "_tell",
        "deadline",
        "enqueued_at",
        "error",
        "finished",
        "first_sealed_at",
        "inputs",
        "key",
        "length",
        "outputs",
        "parts",
        "priority",
        "queue_deadline",
        "queued",
        "rank",
        "rows",
        "taken",
        "timing",
    )
    priority: int
    """Its level. This one and the next two exist only where a policy has levels."""
    queue_deadline: float
    """Second of the clock until when it may wait; inf for ever."""
    rank: int
    """Owned by the queue."""

    def __init__(
        self,
        future: asyncio.Future[Outputs] | None,
        tell: Callable[[Item], None] | None,
        inputs: Inputs,
        rows: int,
        key: Hashable,
        length: int,
        enqueued_at: float,
        deadline: float,
        discard: Callable[[Item], None],
    ) -> None:
        """Either ``future`` or ``tell``."""
        self._future = future
        self._tell = tell or _complete_future
        self.inputs = inputs
        self.rows = rows
        self.key = key
        """Items share a batch only when their keys are equal."""
        self.length = length
        """Entries per row of the longest padded input; what forming by length compares."""
        self.enqueued_at = enqueued_at
        self.deadline = deadline
        """Second of the clock after which nobody waits for the answer; inf for never."""
        self.queued = False
        """Whether rows of it still wait. Owned by the queue."""
        self.taken = 0
        """Rows sealed into batches so far. Owned by the queue."""
        self.parts: dict[int, tuple[int, Outputs]] | None = None
        """Number of rows and outputs by first row, while an item that was split is incomplete."""
        self.first_sealed_at = 0.0
        """When the first rows of an item that was split were sealed; else 0."""
        self.timing: RunTiming | None = None
        """The batch that completed it; None until then."""
        self.finished = False
        """Whether the item has its outcome; written on the event loop only."""
        self.outputs: Outputs | None = None
        """The answer; None without one."""
        self.error: BaseException | None = None
        """Why there is none; None also for a cancelled item."""
        self._cancelled = False
        self._discard = discard

    def __repr__(self) -> str:
        return f"<Item rows={self.rows} taken={self.taken} {self._state()}>"

    def __await__(self) -> Generator[Any, None, Outputs]:
        future = self._future
        if future is None:
            raise RuntimeError("an item with a callback cannot be awaited")
        try:
            return (yield from future)
        except asyncio.CancelledError:
            # The answer may have come in the same turn of the loop: then it counts as answered.
            if future.cancel() or future.cancelled():
                self.cancel()
            raise

    @property
    def queue_seconds(self) -> float:
        """From submission until its first rows were sealed; the item must be answered."""
        assert self.timing is not None, "the item is answered"
        return (self.first_sealed_at or self.timing.sealed_at) - self.enqueued_at

    def redirect(self, tell: Callable[[Item], None]) -> Callable[[Item], None]:
        """Have ``tell`` told of the outcome instead of the one that is returned."""
        before, self._tell = self._tell, tell
        return before

    def complete(self, outputs: Outputs, timing: RunTiming) -> None:
        """Give it its answer and tell whoever waits; it must not be finished. Raises what a
        callback raises."""
        self.timing = timing
        self.outputs = outputs
        self.finished = True
        self._tell(self)

    def fail(self, error: BaseException) -> None:
        """End it without an answer; see ``complete``."""
        self.error = error
        self.finished = True
        self._tell(self)

    def cancel(self) -> bool:
        """Give the request up; False when it is done already. A batch that holds rows of it runs
        on for its neighbours. A callback is not called any more."""
        if self.finished:
            return False
        self.finished = self._cancelled = True
        if self._future is not None:
            self._future.cancel()
        self._discard(self)
        return True

    def done(self) -> bool:
        """Whether the item has its outcome."""
        return self.finished

    def cancelled(self) -> bool:
        """Whether the outcome is that it was cancelled."""
        return self._cancelled

    def result(self) -> Outputs:
        """The outputs of a done item; raises what it failed with."""
        if self.error is not None:
            raise self.error
        if self.outputs is None:
            raise self._unanswered()
        return self.outputs

    def exception(self) -> BaseException | None:
        """What a done item failed with."""
        if self.error is None and self.outputs is None:
            raise self._unanswered()
        return self.error

    def _unanswered(self) -> BaseException:
        return asyncio.CancelledError() if self._cancelled else asyncio.InvalidStateError()

    def _state(self) -> str:
        if self._cancelled:
            return "cancelled"
        if self.error is not None:
            return f"failed with {self.error!r}"
        return "answered" if self.finished else "pending"


def _complete_future(item: Item) -> None:
    future = item._future
    if future is None or future.done():  # the task that awaits it was cancelled this moment
        return
    if item.error is not None:
        future.set_exception(item.error)
    else:
        assert item.outputs is not None, "finished"
        future.set_result(item.outputs)
