"""The designs that the core benchmark compares, all around one function that does nothing.

Each runs the loop of its clients itself: a layer of calls common to all would cost as much as the
fastest of them.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from batching import (
    Batcher,
    BatchPolicy,
    DevicePool,
    DeviceThread,
    Executor,
    InlineExecutor,
    Item,
    Outputs,
    PackedInputs,
)
from benchmarks.tutorial import TutorialBatcher

ROW_FLOATS = 4
_PACK = struct.Struct(f"{ROW_FLOATS}f").pack
_PACKED_KEY = (("x", np.dtype(np.float32), (ROW_FLOATS,)),)

Row = Sequence[float] | NDArray[np.float32]


def row_of(client: int) -> list[float]:
    """What a client sends: its own four numbers, exact in float32."""
    return [client + part / ROW_FLOATS for part in range(ROW_FLOATS)]


def no_op(inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The model: every row is its own answer."""
    return inputs


class Contender(Protocol):
    """A way to bring a request to the function and its answer back."""

    @property
    def name(self) -> str: ...

    async def client(self, number: int, turns: int) -> Row:
        """Ask ``turns`` times, each time awaiting the answer; the last one."""

    def batched(self) -> tuple[int, int]:
        """Rows and batches so far."""

    def close(self) -> None: ...


class BareFuture:
    """No batching, no model: the least that any request with a future costs."""

    name = "bare future"

    async def client(self, number: int, turns: int) -> Row:
        loop = asyncio.get_running_loop()
        row = row_of(number)
        answer: Row = ()
        for _ in range(turns):
            future: asyncio.Future[Row] = loop.create_future()
            loop.call_soon(future.set_result, row)
            answer = await future
        return answer

    def batched(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        """Holds nothing."""


class Tutorial:
    """``TutorialBatcher``, its clients sending lists."""

    name = "tutorial"

    def __init__(self, max_batch_size: int) -> None:
        self._batcher = TutorialBatcher(no_op, max_batch_size)

    async def client(self, number: int, turns: int) -> Row:
        row = row_of(number)
        predict = self._batcher.predict
        answer: Row = ()
        for _ in range(turns):
            answer = await predict(row)
        return answer

    def batched(self) -> tuple[int, int]:
        return self._batcher.rows, self._batcher.batches

    def close(self) -> None:
        self._batcher.close()


class OurBatcher:
    """``batching.Batcher`` on one executor."""

    def __init__(self, max_batch_size: int, executor: Executor) -> None:
        self._pool = DevicePool([executor])
        self._executor = executor.name
        policy = BatchPolicy(max_batch_size=max_batch_size)
        self._batcher = Batcher(no_op, self._pool, policy, dtypes={"x": np.float32})

    def batched(self) -> tuple[int, int]:
        statistics = self._batcher.statistics()
        return statistics.rows, statistics.batches

    def close(self) -> None:
        self._batcher.close()
        self._pool.close()


class ListClients(OurBatcher):
    """Lists of rows with ``rows`` and ``key`` given, as a front that knows its model sends them."""

    @property
    def name(self) -> str:
        return f"Batcher, lists, {self._executor}"

    async def client(self, number: int, turns: int) -> Row:
        rows = [row_of(number)]
        submit = self._batcher.submit
        outputs: Outputs = {}
        for _ in range(turns):
            outputs = await submit({"x": rows}, rows=1, key="x")
        return _only_row(outputs)


class PackedClients(OurBatcher):
    """Rows packed to bytes and a callback instead of a future, as the hot path sends them."""

    @property
    def name(self) -> str:
        return f"Batcher, packed, {self._executor}"

    async def client(self, number: int, turns: int) -> Row:
        row = row_of(number)
        left = turns
        last: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
        submit = self._batcher.submit

        def ask() -> None:
            submit(PackedInputs((_PACK(*row),), _PACKED_KEY, 1), done=answered)

        def answered(item: Item) -> None:
            nonlocal left
            left -= 1
            if left:
                ask()
            else:
                last.set_result(item.result())

        ask()
        return _only_row(await last)


class ArrayClients(OurBatcher):
    """Arrays that the batcher has to look at."""

    @property
    def name(self) -> str:
        return f"Batcher, arrays, {self._executor}"

    async def client(self, number: int, turns: int) -> Row:
        rows = np.array([row_of(number)], np.float32)
        submit = self._batcher.submit
        outputs: Outputs = {}
        for _ in range(turns):
            outputs = await submit({"x": rows})
        return _only_row(outputs)


def _only_row(outputs: Outputs) -> Row:
    (row,) = outputs["x"]
    return [float(number) for number in row]


def make_contenders(max_batch_size: int, *, device_thread: bool = False) -> list[Contender]:
    """Needs the running event loop. The first two are the references."""
    contenders: list[Contender] = [
        BareFuture(),
        Tutorial(max_batch_size),
        PackedClients(max_batch_size, InlineExecutor()),
        ListClients(max_batch_size, InlineExecutor()),
        ArrayClients(max_batch_size, InlineExecutor()),
    ]
    if device_thread:
        contenders += [
            PackedClients(max_batch_size, DeviceThread("thread")),
            ListClients(max_batch_size, DeviceThread("thread")),
            ArrayClients(max_batch_size, DeviceThread("thread")),
        ]
    return contenders
