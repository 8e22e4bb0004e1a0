"""A loaded model version with a batcher per signature."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from batching import Batcher, Inputs, Item
from gateway.backends.base import Model, Signature


@dataclass(frozen=True, slots=True)
class SignatureQueue:
    """One signature's way to the devices."""

    signature: Signature
    batcher: Batcher
    optional_inputs: frozenset[str]
    """Mask and length inputs that the batcher fills in when a request leaves them out."""
    alone_because: str
    """Why its requests do not share runs; empty when they do."""

    def submit(self, inputs: Inputs, deadline: float) -> Item:
        """Let a request wait for the next batch; see ``Batcher.submit``."""
        return self.batcher.submit(inputs, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Servable:
    """A version that takes requests."""

    name: str
    version: int
    model: Model
    queues: Mapping[str, SignatureQueue]

    async def drain(self) -> None:
        """Wait until every request that was taken has its answer; new ones are refused."""
        await asyncio.gather(*(queue.batcher.drain() for queue in self.queues.values()))

    def close(self) -> None:
        """Fail what is still unanswered."""
        for queue in self.queues.values():
            queue.batcher.close()
