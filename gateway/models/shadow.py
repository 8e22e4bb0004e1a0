"""Shadow traffic: a version runs a share of another's requests; its answers are compared and
dropped."""

from __future__ import annotations

import asyncio
import logging
import time
from enum import StrEnum

from batching import BatchingError, Item, Outputs
from gateway.config.model_settings import ShadowSettings
from gateway.exchange import Exchange
from gateway.models.comparison import difference
from gateway.models.registry import Registry
from gateway.models.servable import Servable, SignatureQueue

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 256
"""Copies of requests that may wait in all; more are left out, so that a slow shadow cannot fill
the memory."""
DEADLINE_SECONDS = 30.0
LARGE_OUTPUT_VALUES = 16 * 1024
"""Above this many numbers answers are compared on a thread."""


class ShadowResult(StrEnum):
    """What became of a request's copy."""

    SAME = "same"
    DIFFERENT = "different"
    FAILED = "failed"
    """The shadow failed where the version that serves answered."""
    LEFT_OUT = "left_out"
    """Not run: the shadow version is not available, is too slow, or has no such signature."""


class Shadow:
    """An observer of exchanges. Lives on the event loop; never delays an answer."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._credit: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: dict[tuple[str, int, ShadowResult], int] = {}
        """By model, shadow version and result."""

    def __call__(self, exchange: Exchange) -> None:
        entry = self._registry.models.get(exchange.servable.name)
        settings = entry.settings.shadow if entry is not None else None
        if entry is None or settings is None or exchange.outputs is None or exchange.pinned:
            return
        if exchange.servable.version == settings.version or not self._is_chosen(exchange, settings):
            return
        record = entry.versions.get(settings.version)
        servable = record.servable if record is not None else None
        queue = servable.queues.get(exchange.signature.name) if servable is not None else None
        if servable is None or queue is None or len(self._tasks) >= MAX_IN_FLIGHT:
            self._count(exchange, settings, ShadowResult.LEFT_OUT)
            return
        self._run(exchange, settings, servable, queue)

    async def drain(self) -> None:
        """Wait for the copies that are running."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _is_chosen(self, exchange: Exchange, settings: ShadowSettings) -> bool:
        """Of any N requests in a row ``fraction`` * N, to within one."""
        name = exchange.servable.name
        credit = self._credit.get(name, 0.0) + settings.fraction
        chosen = credit >= 1.0 - 1e-9
        self._credit[name] = credit - 1.0 if chosen else credit
        return chosen

    def _run(
        self,
        exchange: Exchange,
        settings: ShadowSettings,
        servable: Servable,
        queue: SignatureQueue,
    ) -> None:
        try:
            item = queue.submit(exchange.inputs, time.monotonic() + DEADLINE_SECONDS)
        except BatchingError:
            self._count(exchange, settings, ShadowResult.LEFT_OUT)
            return
        except (ValueError, TypeError, OverflowError) as error:
            # Its signature has other dtypes, which the inputs cannot be converted to.
            self._differs(exchange, settings, ShadowResult.FAILED, str(error))
            return
        servable.lease()
        task = asyncio.get_running_loop().create_task(self._compare(exchange, settings, item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: servable.release())

    async def _compare(self, exchange: Exchange, settings: ShadowSettings, item: Item) -> None:
        try:
            outputs = await item
        except BatchingError:
            self._count(exchange, settings, ShadowResult.LEFT_OUT)
            return
        except Exception as error:  # noqa: BLE001 - whatever the shadow does is a finding
            self._differs(exchange, settings, ShadowResult.FAILED, str(error))
            return
        assert exchange.outputs is not None, "only answered requests are copied"
        reason = await self._difference(exchange.outputs, outputs, settings.tolerance)
        if reason:
            self._differs(exchange, settings, ShadowResult.DIFFERENT, reason)
        else:
            self._count(exchange, settings, ShadowResult.SAME)

    async def _difference(self, expected: Outputs, got: Outputs, tolerance: float) -> str:
        if sum(output.size for output in got.values()) > LARGE_OUTPUT_VALUES:
            return await asyncio.to_thread(difference, expected, got, tolerance)
        return difference(expected, got, tolerance)

    def _differs(
        self, exchange: Exchange, settings: ShadowSettings, result: ShadowResult, reason: str
    ) -> None:
        self._count(exchange, settings, result)
        logger.debug(
            "the shadow version answers otherwise",
            extra={
                "model": exchange.servable.name,
                "version": settings.version,
                "signature": exchange.signature.name,
                "reason": reason,
            },
        )

    def _count(self, exchange: Exchange, settings: ShadowSettings, result: ShadowResult) -> None:
        key = (exchange.servable.name, settings.version, result)
        self.counts[key] = self.counts.get(key, 0) + 1
