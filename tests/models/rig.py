"""Real folders, a framework without a framework, and the manager between them."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gateway.config.settings import Settings
from gateway.devices import start_pool
from gateway.errors import ServingError
from gateway.metrics import Metrics
from gateway.models.environment import make_environment
from gateway.models.manager import ModelManager
from gateway.models.registry import ModelEntry, Registry
from tests.gateway.serving import PATIENCE_SECONDS, until
from tests.models.folder_backend import CheckedModel, FolderBackend

_spare_names = itertools.count()


@dataclass
class Traffic:
    """What a stream of requests got."""

    answers: list[float] = field(default_factory=list)
    errors: list[ServingError] = field(default_factory=list)

    stopped: bool = False

    async def more(self) -> None:
        """Wait for answers to requests that begin now."""
        count = len(self.answers) + len(self.errors)
        await until(lambda: len(self.answers) + len(self.errors) >= count + 2 or self.stopped)
        assert not self.stopped


class Rig:
    """All of ``gateway.models`` on folders under ``root``."""

    def __init__(
        self,
        root: Path,
        models: Mapping[str, Mapping[str, Any]],
        server: Mapping[str, Any],
    ) -> None:
        self.root = root
        self.looks: Counter[str] = Counter()
        """How often each model's folders were looked at."""
        self.before_look: Callable[[str], None] = lambda name: None
        self._server = {
            "warmup": False,
            "file_system_poll_wait_seconds": 0.01,
            "load_retry_interval_micros": 10_000,
            **server,
        }
        settings = self.settings(models)
        self.backend = FolderBackend()
        self.registry = Registry(
            (settings.for_model(name) for name in settings.model_names()),
            allow_unavailable_labels=settings.allow_version_labels_for_unavailable_models,
        )
        self.pool = start_pool(self.backend.devices())
        self.metrics = Metrics(self.pool)
        environment = make_environment(settings, self.backend, self.pool, self.metrics)
        self.manager = ModelManager(self.registry, environment)

    def settings(self, models: Mapping[str, Mapping[str, Any]]) -> Settings:
        tables = {n: {"base_path": str(self.root / n), **table} for n, table in models.items()}
        return Settings.model_validate({**self._server, "models": tables})

    async def start(self) -> Rig:
        """Load what is there, and follow the folders."""
        await self.manager.load_all()
        self.manager.watch()
        return self

    @asynccontextmanager
    async def starting(self) -> AsyncIterator[None]:
        """``start``, which has to be over at the end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.start())
            yield

    async def configure(self, models: Mapping[str, Mapping[str, Any]]) -> None:
        """As a reload of the configuration does."""
        settings = self.settings(models)
        await self.manager.check(settings)
        self.manager.apply(settings)

    async def close(self) -> None:
        self.backend.open_valves()
        self.manager.close()
        self.pool.close()
        # Versions whose leases a failed test kept would be waited for without end.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        assert not self.backend.complaints

    def looking(self, name: str) -> None:
        self.looks[name] += 1
        self.before_look(name)

    # Folders.

    def put(self, name: str, version: int | str, factor: float | str) -> Path:
        """A version folder, made or replaced in one step."""
        made = self.root / f".new-{next(_spare_names)}"
        made.mkdir(parents=True)
        (made / "factor").write_text(str(factor))
        folder = self.root / name / str(version)
        folder.parent.mkdir(exist_ok=True)
        if folder.exists():
            folder.rename(self.root / f".old-{next(_spare_names)}")
        made.rename(folder)
        return folder

    def delete(self, name: str, *version: int) -> None:
        """Version folders, or the whole base path, in one step."""
        for path in [self.root / name / str(v) for v in version] or [self.root / name]:
            gone = path.rename(self.root / f".old-{next(_spare_names)}")
            shutil.rmtree(gone)

    # Requests.

    async def answers(self, factor: float) -> None:
        """Wait until requests go to the version with this factor."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.ask() != factor:
                await asyncio.sleep(0.001)

    async def ask(
        self, name: str = "m", version: int | None = None, label: str | None = None
    ) -> float:
        """The factor of the version that answers."""
        servable = self.registry.acquire(name, version, label)
        model = servable.model
        assert isinstance(model, CheckedModel)
        model.users += 1
        try:
            inputs = {"x": np.ones(1, np.float32)}
            item = servable.queues["serving_default"].submit(inputs, time.monotonic() + 20)
            outputs = await item
        except ServingError as error:
            servable.outcomes.count(error)
            raise
        else:
            servable.outcomes.answered += 1
            return float(outputs["y"][0])
        finally:
            model.users -= 1
            servable.release()

    @asynccontextmanager
    async def traffic(self, name: str = "m", **target: Any) -> AsyncIterator[Traffic]:
        """Requests one after the other, on and on."""
        seen = Traffic()

        async def go_on() -> None:
            try:
                while True:
                    await self._ask_once(seen, name, **target)
            finally:
                seen.stopped = True

        async with asyncio.TaskGroup() as group:
            task = group.create_task(go_on())
            await seen.more()
            yield seen
            await seen.more()
            task.cancel()

    @asynccontextmanager
    async def request(self, name: str = "m", **target: Any) -> AsyncIterator[asyncio.Task[float]]:
        """One request under way."""
        async with asyncio.TaskGroup() as group:
            yield group.create_task(self.ask(name, **target))

    async def _ask_once(self, seen: Traffic, name: str, **target: Any) -> None:
        try:
            seen.answers.append(await self.ask(name, **target))
        except ServingError as error:
            seen.errors.append(error)
            await asyncio.sleep(0)

    # What is seen of it.

    def entry(self, name: str = "m") -> ModelEntry:
        return self.registry.models[name]

    def states(self, name: str = "m") -> dict[int, str]:
        return {v: record.state.value for v, record in sorted(self.entry(name).versions.items())}

    def reason(self, version: int, name: str = "m") -> str:
        """Why the version is not served."""
        error = self.entry(name).versions[version].error
        return error.message if error is not None else ""

    def serves(self, version: int, name: str = "m") -> bool:
        latest = self.entry(name).latest
        return latest is not None and latest.version == version

    async def until_serves(self, version: int, name: str = "m") -> None:
        await until(lambda: self.serves(version, name))

    async def until_state(self, version: int, state: str, name: str = "m") -> None:
        await until(lambda: self.states(name).get(version) == state)

    async def becomes(self, name: str = "m", **states: str) -> None:
        """Wait until the versions have these states: ``v1="AVAILABLE"``."""
        wanted = {int(version.removeprefix("v")): state for version, state in states.items()}
        await until(lambda: self.states(name) == wanted)

    def model(self, name: str, version: int) -> CheckedModel:
        """The newest copy of a version."""
        return [m for m in self.backend.models if m.name == f"{name}/{version}"][-1]

    async def rounds(self, count: int = 3, name: str = "m") -> None:
        """Wait until the model's folders were looked at, and that was acted upon, so often."""
        before = self.looks[name]
        # The next look begins when the one before it was acted upon.
        await until(lambda: self.looks[name] > before + count)
