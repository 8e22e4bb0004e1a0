"""A batcher on scripted executors and a manual clock, with everything it did on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batching import Batcher, BatchPolicy, DevicePool, Event, Item, Outputs, RunFunction
from batching.testing import ManualClock, ManualTimer, ScriptedExecutor, settle

Arrays = dict[str, NDArray[Any]]


class StrictClock(ManualClock):
    """Refuses a timer that is due already: on a real loop it would fire without end."""

    def call_at(self, when: float, callback: Callable[[], None]) -> ManualTimer:
        assert when > self.now(), f"a timer for {when} at {self.now()} would spin"
        return super().call_at(when, callback)


class Culprit(ValueError):
    """Raised by ``double``; ``args`` are the negative rows it was given, each once."""


def double(inputs: Arrays) -> Arrays:
    """``y = 2 x``. Negative rows make it fail."""
    x = inputs["x"]
    if (bad := x[x < 0]).size:
        raise Culprit(*np.unique(bad).tolist())
    return {"y": x * 2}


def rows(*values: float) -> Arrays:
    """An item's inputs, one row per value."""
    return {"x": np.array(values, np.float32)}


def answer(item: Item) -> list[float]:
    """The rows that ``double`` answered."""
    return list(item.result()["y"].tolist())


class Bench:
    """One batcher and what it needs. ``batches`` holds the rows of every call of the function."""

    def __init__(
        self,
        policy: BatchPolicy | None = None,
        run: RunFunction = double,
        *,
        devices: int = 1,
        **options: Any,
    ) -> None:
        self.clock = StrictClock()
        self.executors = [ScriptedExecutor(f"e{number}") for number in range(devices)]
        self.pool = DevicePool(self.executors, clock=self.clock)
        self.batches: list[list[Any]] = []
        self.events: list[Event] = []
        self._function = run
        options.setdefault("observer", self.events.append)
        self.batcher = Batcher(self._run, self.pool, policy, clock=self.clock, **options)

    def _run(self, inputs: Arrays) -> Outputs:
        self.batches.append(inputs["x"].tolist())
        return self._function(inputs)

    def submit(self, *values: float, **options: Any) -> Item:
        """An item with one row per value."""
        return self.batcher.submit(rows(*values), **options)

    async def start(self, *values: float) -> Item:
        """An item that has reached its executor."""
        item = self.submit(*values)
        await settle()
        return item

    async def finish(self, executor: int = 0) -> None:
        """Let the batch of one executor end, and everything that follows from it happen."""
        await settle()
        self.executors[executor].finish()
        await settle()

    async def finish_all(self) -> None:
        """Let batches end until none runs."""
        await settle()
        while busy := [executor for executor in self.executors if executor.running]:
            busy[0].finish()
            await settle()

    @property
    def running(self) -> int:
        return sum(len(executor.running) for executor in self.executors)
