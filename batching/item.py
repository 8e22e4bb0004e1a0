"""One request on its way through a batcher; it is itself the future of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike, NDArray

Inputs = Mapping[str, ArrayLike]
"""By name: an array whose axis 0 counts rows, or a list of rows."""
Outputs = Mapping[str, NDArray[Any]]
"""By name: an array whose axis 0 counts rows."""


@dataclass(frozen=True, slots=True)
class RunTiming:
    """The batch that answered an item. Times are seconds of the batcher's clock."""

    sealed_at: float
    started_at: float
    finished_at: float
    rows: int
    padded_rows: int
    executor: str


class Item:
    """A request's rows, and the future of its answer. Await it for the outputs.

    Cancelling it, or the task that awaits it, takes its waiting rows out of the queue at once. It
    wraps a plain future because the event loop awaits no other kind as cheaply.
    """

    __slots__ = (
        "_discard",
        "deadline",
        "enqueued_at",
        "first_sealed_at",
        "future",
        "inputs",
        "key",
        "length",
        "parts",
        "queued",
        "rows",
        "taken",
        "timing",
    )

    def __init__(
        self,
        future: asyncio.Future[Outputs],
        inputs: Inputs,
        rows: int,
        key: Hashable,
        length: int,
        enqueued_at: float,
        deadline: float,
        discard: Callable[[Item], None],
    ) -> None:
        self.future = future
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
        self._discard = discard

    def __repr__(self) -> str:
        return f"<Item rows={self.rows} taken={self.taken} {self.future!r}>"

    def __await__(self) -> Generator[Any, None, Outputs]:
        try:
            return (yield from self.future)
        except asyncio.CancelledError:
            # The answer may have come in the same turn of the loop: then it counts as answered.
            if self.future.cancel() or self.future.cancelled():
                self._give_up()
            raise

    @property
    def queue_seconds(self) -> float:
        """From submission until its first rows were sealed; the item must be answered."""
        assert self.timing is not None, "the item is answered"
        return (self.first_sealed_at or self.timing.sealed_at) - self.enqueued_at

    def cancel(self) -> bool:
        """Give the request up; False when it is done already. A batch that holds rows of it runs
        on for its neighbours."""
        cancelled = self.future.cancel()
        if cancelled:
            self._give_up()
        return cancelled

    def _give_up(self) -> None:
        """Tell the batcher, once: cancelling an item also wakes those who await it."""
        discard, self._discard = self._discard, _ignore
        discard(self)

    def done(self) -> bool:
        """Whether the item has its outcome."""
        return self.future.done()

    def cancelled(self) -> bool:
        """Whether the outcome is that it was cancelled."""
        return self.future.cancelled()

    def result(self) -> Outputs:
        """The outputs of a done item; raises what it failed with."""
        return self.future.result()

    def exception(self) -> BaseException | None:
        """What a done item failed with."""
        return self.future.exception()


def _ignore(item: Item) -> None:
    pass
