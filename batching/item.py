"""One request on its way through a batcher; it is itself the future of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

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


class Item(asyncio.Future[Outputs]):
    """A request's rows. Await it for its outputs; cancel it and its waiting rows leave at once.

    It is one object instead of a future and a record because two allocations a request show up
    at a million requests a second.
    """

    __slots__ = (
        "_discard",
        "deadline",
        "enqueued_at",
        "first_sealed_at",
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
        loop: asyncio.AbstractEventLoop,
        inputs: Inputs,
        rows: int,
        key: Hashable,
        length: int,
        enqueued_at: float,
        deadline: float,
        discard: Callable[[Item], None],
    ) -> None:
        super().__init__(loop=loop)
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
        self.timing: RunTiming | None = None
        """The batch that completed it; None until then."""
        self._discard = discard

    def cancel(self, msg: Any = None) -> bool:
        """Give the request up. A batch that already holds rows of it runs on for its neighbours."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._discard(self)
        return cancelled

    def release_inputs(self) -> None:
        """Drop the inputs, so that they do not live as long as the last reference to the item.
        Only once no batch holds rows of it."""
        self.inputs = cast("Inputs", None)
