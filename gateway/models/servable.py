"""A loaded model version with a batcher per signature."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from batching import Batcher, Inputs, Item
from gateway.backends.base import Model, Signature
from gateway.models.outcomes import Outcomes


@dataclass(frozen=True, slots=True)
class SignatureQueue:
    """One signature's way to the devices."""

    signature: Signature
    batcher: Batcher
    optional_inputs: frozenset[str]
    """Mask and length inputs that the batcher fills in when a request leaves them out."""
    alone_because: str
    """Why its requests do not share runs; empty when they do."""

    def submit(
        self,
        inputs: Inputs,
        deadline: float,
        *,
        priority: int = 0,
        queue_timeout: float | None = None,
    ) -> Item:
        """Let a request wait for the next batch; see ``Batcher.submit``."""
        return self.batcher.submit(
            inputs, deadline=deadline, priority=priority, queue_timeout=queue_timeout
        )


class Servable:
    """A version that takes requests. Lives on the event loop.

    Whoever uses it takes a lease (``Registry.acquire``) and gives it back (``release``): it is
    unloaded only when no lease is out, so a request that found it is answered by it.
    """

    __slots__ = ("_idle", "leases", "model", "name", "outcomes", "queues", "version")

    def __init__(
        self, name: str, version: int, model: Model, queues: Mapping[str, SignatureQueue]
    ) -> None:
        self.name = name
        self.version = version
        self.model = model
        self.queues = queues
        self.outcomes = Outcomes()
        """How its requests went, for the automatic step back."""
        self.leases = 0
        """How many are out."""
        self._idle: asyncio.Event | None = None

    def __repr__(self) -> str:
        return f"<Servable {self.name} version {self.version}, {self.leases} leases>"

    def lease(self) -> None:
        """Take another."""
        self.leases += 1

    def release(self) -> None:
        """Give a lease back."""
        self.leases -= 1
        if self._idle is not None and not self.leases:
            self._idle.set()

    async def drain(self) -> None:
        """Wait until every request that was taken has its answer; new ones are refused."""
        await asyncio.gather(*(queue.batcher.drain() for queue in self.queues.values()))

    async def retire(self) -> None:
        """Wait for the leases, then for the answers, and leave the devices. Nobody must be able to
        find it any more."""
        self._idle = asyncio.Event()
        if self.leases:
            await self._idle.wait()
        await self.drain()
        self.close()

    def close(self) -> None:
        """Fail what is still unanswered and leave the devices."""
        for queue in self.queues.values():
            queue.batcher.close()
