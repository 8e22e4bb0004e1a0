"""The dynamic batcher that tutorials build, as a reference."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Function = Callable[[dict[str, NDArray[Any]]], dict[str, NDArray[Any]]]
TIMEOUT_SECONDS = 0.005
_Waiting = tuple[Sequence[float], "asyncio.Future[NDArray[np.float32]]"]


class TutorialBatcher:
    """An ``asyncio.Queue``, one consumer task, ``wait_for`` per item, ``np.stack`` per batch.

    ``rows`` and ``batches`` count what was run. Made on the running event loop.
    """

    def __init__(self, function: Function, max_batch_size: int) -> None:
        self.rows = 0
        self.batches = 0
        self._function = function
        self._max_batch_size = max_batch_size
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._consumer = asyncio.create_task(self._consume())

    async def predict(self, row: Sequence[float]) -> NDArray[np.float32]:
        """The function's answer for one row."""
        future: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        await self._queue.put((row, future))
        return await future

    def close(self) -> None:
        self._consumer.cancel()

    async def _consume(self) -> None:
        while True:
            waiting = await self._collect()
            stacked = np.stack([np.asarray(row, np.float32) for row, _ in waiting])
            outputs = self._function({"x": stacked})["x"]
            self.rows += len(waiting)
            self.batches += 1
            for (_, future), output in zip(waiting, outputs, strict=True):
                if not future.done():
                    future.set_result(output)

    async def _collect(self) -> list[_Waiting]:
        loop = asyncio.get_running_loop()
        waiting = [await self._queue.get()]
        end = loop.time() + TIMEOUT_SECONDS
        while len(waiting) < self._max_batch_size and (left := end - loop.time()) > 0:
            try:
                waiting.append(await asyncio.wait_for(self._queue.get(), left))
            except TimeoutError:
                break
        return waiting
