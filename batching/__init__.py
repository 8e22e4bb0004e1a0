"""Dynamic batching for asyncio: many small requests in, few large function calls out.

Needs the standard library and numpy, nothing else. Start with ``Batcher``, ``BatchPolicy``,
``DevicePool`` and ``DeviceThread``; ``batching.testing`` has a manual clock and executor.
"""

from batching.arrays import aligned_empty
from batching.batcher import Batcher
from batching.clock import Clock, LoopClock, Timer
from batching.errors import (
    BatchFailed,
    BatchingError,
    Closed,
    DeadlineExceeded,
    IncompatibleItem,
    ItemTooLarge,
    QueueFull,
    QueueTimeout,
)
from batching.executor import DeviceThread, Executor, InlineExecutor
from batching.item import Inputs, Item, Outputs, RunTiming
from batching.latency import LatencyModel
from batching.levels import LevelPolicy
from batching.observe import (
    BatchDone,
    BatcherStatistics,
    BatchingDisabled,
    BatchReleased,
    DropReason,
    Event,
    ItemDropped,
    Observer,
    ReleaseReason,
)
from batching.packed import BatchOutputs, OutputRows, PackedInputs
from batching.policy import BatchPolicy, Padding, PadInput
from batching.pool import DevicePool
from batching.queue import ALONE, BatchQueue, SealedBatch
from batching.runner import RunFunction

__all__ = [
    "ALONE",
    "BatchDone",
    "BatchFailed",
    "BatchOutputs",
    "BatchPolicy",
    "BatchQueue",
    "BatchReleased",
    "Batcher",
    "BatcherStatistics",
    "BatchingDisabled",
    "BatchingError",
    "Clock",
    "Closed",
    "DeadlineExceeded",
    "DevicePool",
    "DeviceThread",
    "DropReason",
    "Event",
    "Executor",
    "IncompatibleItem",
    "InlineExecutor",
    "Inputs",
    "Item",
    "ItemDropped",
    "ItemTooLarge",
    "LatencyModel",
    "LevelPolicy",
    "LoopClock",
    "Observer",
    "OutputRows",
    "Outputs",
    "PackedInputs",
    "PadInput",
    "Padding",
    "QueueFull",
    "QueueTimeout",
    "ReleaseReason",
    "RunFunction",
    "RunTiming",
    "SealedBatch",
    "Timer",
    "aligned_empty",
]
