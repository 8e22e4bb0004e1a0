"""What the models' controllers share: the backend, the devices, and threads for slow work."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from batching import DevicePool
from gateway.backends.base import Backend
from gateway.config.settings import ResolvedModel, Settings
from gateway.errors import Code, ServingError
from gateway.metrics import Metrics
from gateway.models.backoff import RetryPolicy
from gateway.models.instances import instance_devices
from gateway.models.loader import LoadedVersion, LoadOptions, Replay, load_version, make_servable
from gateway.models.servable import Servable

T = TypeVar("T")

DEFAULT_LOAD_THREADS = 2
"""One slow load must not hold up all others; more would only take turns at the interpreter."""
SCAN_THREADS = 16
"""Made as they are needed: a base path that hangs keeps one."""
MOST_SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Threads:
    """Slow work never runs on the event loop, nor where requests run."""

    load: ThreadPoolExecutor
    unload: ThreadPoolExecutor
    scan: ThreadPoolExecutor

    def close(self) -> None:
        for pool in (self.load, self.unload, self.scan):
            pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class LoadingEnvironment:
    """How versions are found, loaded and unloaded; the same for all models."""

    backend: Backend
    pool: DevicePool
    metrics: Metrics
    threads: Threads
    options: LoadOptions = field(default_factory=LoadOptions)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    poll_seconds: float = 1.0
    """inf: never look again."""
    settle_seconds: float = MOST_SETTLE_SECONDS
    on_load: Callable[[Path, str, float], None] = field(default=lambda path, status, seconds: None)
    """Told of every load: the folder, the status code's name, the seconds it took."""
    on_replay: Callable[[Path, str, float, int], None] = field(
        default=lambda path, status, seconds, records: None
    )
    """Told of warm-up records: as ``on_load``, and how many they were."""

    async def on_scan_thread(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads.scan, partial(function, *arguments))

    async def load(self, settings: ResolvedModel, version: int, path: Path) -> Servable:
        """A warm version with its queues. Raises ServingError."""
        started = time.monotonic()
        status = Code.INTERNAL.name
        replays: list[Replay] = []
        try:
            devices = self._devices(settings)
            loaded = await asyncio.get_running_loop().run_in_executor(
                self.threads.load,
                load_version,
                self.backend,
                path,
                settings,
                devices,
                self.options,
                replays.append,
            )
            servable = self._servable(loaded, version)
            status = Code.OK.name
            return servable
        except ServingError as error:
            status = error.code.name
            raise
        finally:
            self.on_load(path, status, time.monotonic() - started)
            for replay in replays:
                self.on_replay(path, replay.status, replay.seconds, replay.records)

    async def unload(self, servable: Servable) -> None:
        """Answer its requests, take its queues off the devices, give its memory back."""
        await servable.retire()
        for queue in servable.queues.values():
            self.metrics.remove_batcher(queue.batcher)
        model = servable.model
        await asyncio.get_running_loop().run_in_executor(self.threads.unload, model.close)

    def _servable(self, loaded: LoadedVersion, version: int) -> Servable:
        try:
            return make_servable(loaded, version, self.pool, self.metrics)
        except BaseException:
            self.threads.unload.submit(loaded.model.close)
            raise

    def _devices(self, settings: ResolvedModel) -> Sequence[str]:
        present = tuple(executor.name for executor in self.pool.executors)
        devices = settings.devices or present
        if unknown := [device for device in devices if device not in present]:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"devices {', '.join(unknown)} are not among {', '.join(present)}",
            )
        groups = settings.triton.instances if settings.triton is not None else ()
        return instance_devices(groups, devices, settings.name)


def make_environment(
    settings: Settings, backend: Backend, pool: DevicePool, metrics: Metrics
) -> LoadingEnvironment:
    """As the server's settings say."""
    poll = settings.file_system_poll_wait_seconds
    return LoadingEnvironment(
        backend,
        pool,
        metrics,
        _threads(settings),
        LoadOptions(
            settings.enable_model_warmup,
            max(1, settings.num_request_iterations_for_warmup),
            settings.enable_per_model_batching_parameters,
        ),
        RetryPolicy(settings.max_num_load_retries, settings.load_retry_interval_micros / 1e6),
        poll_seconds=poll if poll > 0 else math.inf,
        settle_seconds=min(poll, MOST_SETTLE_SECONDS) if poll > 0 else MOST_SETTLE_SECONDS,
    )


def _threads(settings: Settings) -> Threads:
    loads = settings.num_load_threads or DEFAULT_LOAD_THREADS
    unloads = settings.num_unload_threads or 1
    return Threads(
        ThreadPoolExecutor(loads, thread_name_prefix="model load"),
        ThreadPoolExecutor(unloads, thread_name_prefix="model unload"),
        ThreadPoolExecutor(SCAN_THREADS, thread_name_prefix="model scan"),
    )
