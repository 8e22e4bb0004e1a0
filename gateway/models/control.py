"""Models of the repository loaded and unloaded by name while the server runs (Triton, model control
mode explicit)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from typing import Any

from gateway.config import ConfigError, Loaded
from gateway.config.reload import ModelChange
from gateway.config.triton.choice import Choice
from gateway.config.triton.folders import is_model_name
from gateway.config.triton.repository import RepositoryModel
from gateway.config.wording import quoted, without_folders
from gateway.errors import Code, ServingError, invalid_argument, not_found
from gateway.models.manager import ModelManager
from gateway.models.registry import ModelEntry, Registry
from gateway.reload import Reloader

logger = logging.getLogger(__name__)

Models = Mapping[str, RepositoryModel]


class ModelControl:
    """What clients may do with the models of the repository. Lives on the event loop.

    What was begun goes on when its caller is cancelled. Changes of one model come one after the
    other; different models load side by side.
    """

    def __init__(self, registry: Registry, manager: ModelManager, reloader: Reloader) -> None:
        self._registry = registry
        self._manager = manager
        self._reloader = reloader
        self._unloaded: set[str] = set()
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By name of a model that is in the repository."""

    def index(self) -> list[tuple[str, str]]:
        """Name and reason of the repository's models that are not in the registry, as the last
        look found them (``look``, and every load and unload)."""
        names = sorted(self._reloader.repository_names - self._registry.models.keys())
        return [(name, "unloaded" if name in self._unloaded else "") for name in names]

    async def look(self) -> None:
        """Look which models the repository has. One that cannot be read has those it had."""
        try:
            await self._reloader.look()
        except ConfigError as error:
            logger.warning("the model repository is not read", extra={"reason": str(error)})

    async def load(self, name: str, config: Mapping[str, Any] | None = None) -> None:
        """Load the model, or load again what has changed, and wait until it serves or has failed.

        ``config``, a ModelConfig as proto3 JSON, takes the place of config.pbtxt this time. A
        reload that fails leaves in force what there was. Raises ServingError: NOT_FOUND for a name
        that the repository does not have, INVALID_ARGUMENT for a model that cannot be served.
        """
        await self._find(name, "load")
        await _to_its_end(self._load(name, config))

    async def unload(self, name: str, *, unload_dependents: bool = False) -> None:
        """No new requests from now on; the memory is given back when those before have their
        answers. Of a model that is not loaded nothing is left to do.

        There are no ensembles, so nothing depends on a model. Raises ServingError (NOT_FOUND).
        """
        if name not in self._registry.models:
            await self._find(name, "unload")
        else:
            await _to_its_end(self._unload(name))

    async def _find(self, name: str, action: str) -> None:
        if not is_model_name(name):
            raise invalid_argument(
                f"failed to {action} {quoted(name)}, which can be no model's name"
            )
        await self.look()
        if name not in self._reloader.repository_names:
            raise not_found(f"failed to {action} '{name}', failed to poll from model repository")

    async def _load(self, name: str, config: Mapping[str, Any] | None) -> None:
        async with self._one_at_a_time[name]:
            self._manager.retry(name)
            configs = {} if config is None else {name: config}
            loaded = await self._change(
                name, "load", lambda models: Choice(models, read=frozenset([name]), configs=configs)
            )
            self._unloaded.discard(name)
            self._tell_notes(loaded, name)
            triton = loaded.settings.models[name].triton
            if triton is not None and triton.problem:
                raise invalid_argument(f"failed to load '{name}', {triton.problem}")
            if await self._manager.settle([name]):
                raise _failure(name, self._registry.models.get(name))

    async def _unload(self, name: str) -> None:
        async with self._one_at_a_time[name]:

            def without(models: Models) -> Choice:
                if name not in models:
                    raise ConfigError("it is not of the model repository")
                return Choice(models, drop=frozenset([name]))

            if name in self._registry.models:
                await self._change(name, "unload", without)
                self._unloaded.add(name)

    async def _change(self, name: str, action: str, change: ModelChange) -> Loaded:
        try:
            return await self._reloader.change(change)
        except ConfigError as error:
            # Of the server's configuration, which is read as a whole.
            logger.error("not done", extra={"model": name, "action": action, "reason": str(error)})
            message = f"failed to {action} '{name}', {without_folders(str(error))}"
            raise ServingError(Code.FAILED_PRECONDITION, message) from error

    def _tell_notes(self, loaded: Loaded, name: str) -> None:
        for note in loaded.repository[name].notes:
            logger.warning("without effect", extra={"model": name, "note": note})


def _failure(name: str, entry: ModelEntry | None) -> ServingError:
    """In Triton's words."""
    records = sorted(entry.versions.values(), key=lambda r: r.version) if entry is not None else ()
    failed = [
        f"version {record.version} is at UNAVAILABLE state: {record.error.message};"
        for record in records
        if record.error is not None
    ]
    if failed:
        return invalid_argument(f"load failed for model '{name}': {' '.join(failed)}")
    problem = entry.problem() if entry is not None else None
    reason = problem.message if problem is not None else "it was unloaded meanwhile"
    return invalid_argument(f"failed to load '{name}', no version is available: {reason}")


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work``, also when the caller is cancelled."""
    await asyncio.shield(asyncio.get_running_loop().create_task(work))
