"""Brings the configured models up: find versions, load the highest of each, publish it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from batching import DevicePool
from gateway.backends.base import Backend
from gateway.errors import Code, ServingError
from gateway.metrics import Metrics
from gateway.models.loader import LoadedVersion, load_version, make_servable
from gateway.models.registry import ModelEntry, Registry
from gateway.models.repository import find_versions
from gateway.models.versions import State, VersionRecord

logger = logging.getLogger(__name__)

MAX_TRIED_VERSIONS = 3
"""A model whose highest version is broken starts with the next one below that loads; so many are
tried. The status of the broken ones says why they are not served."""


class ModelManager:
    """Loads on a thread of its own, one version at a time, so that serving goes on meanwhile."""

    def __init__(
        self,
        registry: Registry,
        backend: Backend,
        pool: DevicePool,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._backend = backend
        self._pool = pool
        self._metrics = metrics
        self._devices = tuple(executor.name for executor in pool.executors)
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="model loader")

    async def load_all(self) -> None:
        """Load the highest version of every model. A model that fails does not stop the others:
        its status says why."""
        for entry in self._registry.models.values():
            await self._load(entry)
        # Everything alive now stays: with TensorFlow imported a full collection would otherwise
        # look at a quarter of a million objects, 0.2 s at a time.
        gc.collect()
        gc.freeze()

    async def drain(self) -> None:
        """Wait until every request that was taken has its answer."""
        await asyncio.gather(*(servable.drain() for servable in self._registry.servables()))

    def close(self) -> None:
        """Fail what is unanswered and stop the loader."""
        for servable in self._registry.servables():
            servable.close()
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _load(self, entry: ModelEntry) -> None:
        name = entry.settings.name
        try:
            versions = await find_versions(entry.settings.base_path)
            if not versions:
                raise ServingError(Code.NOT_FOUND, "the base path holds no numbered version folder")
        except ServingError as error:
            entry.error = error
            logger.error("model not found", extra={"model": name, "reason": error.message})
            return
        for version in sorted(versions, reverse=True)[:MAX_TRIED_VERSIONS]:
            if await self._publish(entry, version, versions[version]):
                return

    async def _publish(self, entry: ModelEntry, version: int, path: Path) -> bool:
        """Load one version and let it take requests; False when it is broken."""
        record = entry.versions[version] = VersionRecord(version, State.LOADING)
        try:
            loaded = await self._load_version(entry, path)
            servable = make_servable(loaded, entry.settings, version, self._pool, self._metrics)
        except ServingError as error:
            record.failed(error)
        except Exception:
            record.failed(ServingError(Code.INTERNAL, "the version could not be loaded"))
            logger.exception("unexpected failure of a load")
        else:
            entry.publish(servable)
            return True
        extra = {
            "model": entry.settings.name,
            "version": version,
            "reason": record.error.message if record.error else "",
        }
        logger.error("model version not loaded", extra=extra)
        return False

    async def _load_version(self, entry: ModelEntry, path: Path) -> LoadedVersion:
        devices: Sequence[str] = entry.settings.devices or self._devices
        unknown = [device for device in devices if device not in self._devices]
        if unknown:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"devices {', '.join(unknown)} are not among {', '.join(self._devices)}",
            )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._loader, load_version, self._backend, path, entry.settings, devices
        )
