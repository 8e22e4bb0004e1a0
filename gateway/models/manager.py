"""All models of the process: brought up, watched, changed with the configuration, taken down."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable

from gateway.config.settings import ResolvedModel, Settings
from gateway.errors import Code, ServingError
from gateway.models.controller import ModelController
from gateway.models.environment import LoadingEnvironment
from gateway.models.labels import Targets
from gateway.models.registry import ModelEntry, Registry
from gateway.models.repository import find_versions
from gateway.models.version_policy import parse_version_policy

logger = logging.getLogger(__name__)

SETTLE_POLL_SECONDS = 0.01


class ModelManager:
    """One controller for each model of the registry, which it fills and empties."""

    def __init__(self, registry: Registry, environment: LoadingEnvironment) -> None:
        self._registry = registry
        self._environment = environment
        self._controllers = {
            name: ModelController(entry, environment) for name, entry in registry.models.items()
        }
        self._watching = False
        self._tasks: dict[ModelController, asyncio.Task[None]] = {}

    @property
    def on_its_way(self) -> bool:
        """Whether any model is being loaded, or waits until a folder of it is complete."""
        return any(controller.on_its_way for controller in self._controllers.values())

    async def load_all(self, *, watch: bool = False) -> None:
        """Bring up what every model wants. A model that fails does not stop the others: its status
        says why. With ``watch`` each model is followed as soon as it is up, whatever keeps others.
        """
        self._watching = watch
        await asyncio.gather(*(self._bring_up(c) for c in self._controllers.values()))
        self._warn_of_labels()
        # Everything alive now stays: with TensorFlow imported a full collection would otherwise
        # look at a quarter of a million objects, 0.2 s at a time.
        gc.collect()
        gc.freeze()

    def watch(self) -> None:
        """Follow the folders of all models, and retry what failed, until ``close``."""
        self._watching = True
        for controller in self._controllers.values():
            self._start_watching(controller)

    async def check(self, settings: Settings) -> None:
        """Raises ServingError (FAILED_PRECONDITION) when a label would move to a version that is
        not there."""
        for name in settings.model_names():
            await self._check_labels(settings.for_model(name))

    def apply(self, settings: Settings) -> None:
        """Bring the models to ``settings``, which were checked: add, change and remove. Loads and
        unloads go on afterwards."""
        wanted = {name: settings.for_model(name) for name in settings.model_names()}
        for name in self._controllers.keys() - wanted.keys():
            self._remove(name)
        for name, model in wanted.items():
            if name in self._controllers:
                self._controllers[name].update(model)
            else:
                self._add(model)

    def retry(self, name: str) -> None:
        """Try what failed of a model again; of one that is not there nothing did."""
        if name in self._controllers:
            self._controllers[name].retry()

    async def settle(self, names: Iterable[str]) -> dict[str, ServingError]:
        """Wait until nothing more is to be done at once for these models, which are watched: what
        they want serves or has failed. Why it does not serve, by model."""
        problems: dict[str, ServingError] = {}
        for name in names:
            controller = self._controllers.get(name)
            if controller is None:
                continue
            # A look, a load and an unload end in different places.
            while not controller.settled:  # noqa: ASYNC110
                await asyncio.sleep(SETTLE_POLL_SECONDS)
            if (problem := _problem(controller)) is not None:
                problems[name] = problem
        return problems

    async def drain(self) -> None:
        """Wait until every request that was taken has its answer."""
        await asyncio.gather(*(servable.drain() for servable in self._registry.servables()))

    def close(self) -> None:
        """Fail what is unanswered and stop the threads."""
        for controller in {*self._controllers.values(), *self._tasks}:
            controller.close()
        for task in self._tasks.values():
            task.cancel()
        for servable in self._registry.servables():
            servable.close()
        self._environment.threads.close()

    async def _bring_up(self, controller: ModelController) -> None:
        await controller.bring_up()
        if self._watching and not controller.removed:
            self._start_watching(controller)

    def _add(self, model: ResolvedModel) -> None:
        controller = ModelController(self._registry.add(model), self._environment)
        self._controllers[model.name] = controller
        if self._watching:
            self._start_watching(controller)

    def _remove(self, name: str) -> None:
        del self._registry.models[name]
        controller = self._controllers.pop(name)
        if (watching := self._tasks.pop(controller, None)) is not None:
            watching.cancel()
        removal = asyncio.get_running_loop().create_task(controller.remove())
        self._tasks[controller] = removal
        removal.add_done_callback(lambda _: self._tasks.pop(controller, None))

    def _start_watching(self, controller: ModelController) -> None:
        self._tasks[controller] = asyncio.get_running_loop().create_task(controller.watch())

    async def _check_labels(self, model: ResolvedModel) -> None:
        """TF Serving, server_core: a label goes to versions that are available; here also to those
        that this configuration will load."""
        entry = self._registry.models.get(model.name)
        moved = _moved_labels(entry, model, self._registry.allow_unavailable_labels)
        if not moved:
            return
        there = set(entry.available()) if entry is not None else set()
        try:
            paths = await self._environment.on_scan_thread(find_versions, model.base_path)
        except ServingError:
            paths = {}
        there |= parse_version_policy(model.model_version_policy).select(paths)
        for targets in moved.values():
            for version in targets:
                if version not in there:
                    raise _label_refused(model.name, version)

    def _warn_of_labels(self) -> None:
        for name, entry in self._registry.models.items():
            for label, version in entry.labels.missing(entry.available()).items():
                logger.warning(
                    "a label waits for its version",
                    extra={"model": name, "label": label, "version": version},
                )


def _problem(controller: ModelController) -> ServingError | None:
    failures = controller.failures
    if failures:
        return failures[0][1]
    return None if controller.entry.ready else controller.entry.problem()


def _moved_labels(
    entry: ModelEntry | None, model: ResolvedModel, allow_unavailable: bool
) -> dict[str, Targets]:
    """Labels that are to be set or moved, but for new ones that may wait for their versions."""
    current = entry.label_targets if entry is not None else {}
    moved: dict[str, Targets] = {}
    for label, to in model.version_labels.items():
        targets: Targets = {to: 1.0} if isinstance(to, int) else to
        if label in current:
            if current[label] != targets:
                moved[label] = targets
        elif not allow_unavailable:
            moved[label] = targets
    return moved


def _label_refused(model: str, version: int) -> ServingError:
    return ServingError(
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version {version} of model {model}, which is not currently "
        "available for inference",
    )
