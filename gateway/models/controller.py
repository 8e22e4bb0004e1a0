"""The life of one model's versions: look at its folders, decide, load, swap, unload, try again."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Coroutine
from typing import Any

from gateway.config.settings import ResolvedModel
from gateway.errors import Code, ServingError
from gateway.models.declared import unusable
from gateway.models.environment import LoadingEnvironment
from gateway.models.looking import look
from gateway.models.planner import Phase, SwapRules, make_plan, wanted_versions
from gateway.models.registry import ModelEntry
from gateway.models.reloading import needs_reload
from gateway.models.repository import Listing
from gateway.models.servable import Servable
from gateway.models.table import VersionTable
from gateway.models.trial import Trials
from gateway.models.version_policy import VersionPolicy, parse_version_policy
from gateway.models.versions import State, VersionRecord
from gateway.models.work import Content, VersionWork

logger = logging.getLogger(__name__)

TRIAL_TICK_SECONDS = 0.25


class ModelController:
    """Brings one model to what its settings and its folders say, and keeps it there.

    Lives on the event loop; looks and loads run on threads. Models share nothing but those threads:
    one that is broken, slow or gone does not hold up another.
    """

    def __init__(self, entry: ModelEntry, environment: LoadingEnvironment) -> None:
        self.entry = entry
        self._environment = environment
        self._table = VersionTable(entry, environment.settle_seconds)
        self._trials = Trials(entry)
        self._on_disk: frozenset[int] | None = None
        """Version folders of the last look; None before the first at this base path."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._next_look = 0.0
        self._acted_at = 0.0
        self._watching = False
        self._looked = False
        """Whether the folders were looked at under the present settings."""
        self._wanted: frozenset[int] = frozenset()
        self.removed = False
        """``remove`` was called."""
        self._unusable: ServingError | None = None
        """What speaks against the newest settings; those before stay in force, if there are any."""
        self._find_unusable(entry.settings)
        self._apply_labels()

    @property
    def policy(self) -> VersionPolicy:
        return parse_version_policy(self.entry.settings.model_version_policy)

    @property
    def on_its_way(self) -> bool:
        """Whether a version is being loaded, or waits until its folder is complete."""
        states = [r.state for r in self.entry.versions.values()]
        return State.LOADING in states or State.START in states

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done at once for what the settings ask."""
        busy = self._tasks or self._changed.is_set() or self._table.unsettled
        return self.removed or (self._looked and not busy)

    @property
    def failures(self) -> list[tuple[int, ServingError]]:
        """Wanted versions that do not serve, or not what their folders hold, and why."""
        records = (self.entry.versions.get(version) for version in sorted(self._wanted))
        return [(r.version, r.error) for r in records if r is not None and r.error is not None]

    async def bring_up(self) -> None:
        """Work until nothing more can be done at once: the wanted versions serve or have failed.

        A folder that is still being written is waited for only as long as two looks take, and only
        while there is nothing else to serve.
        """
        waits = 0
        while True:
            await self._look_and_act()
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            elif self._table.unsettled and not self.entry.ready and waits < 2:
                waits += 1
                await asyncio.sleep(self._environment.settle_seconds * 1.05)
            else:
                return

    async def watch(self) -> None:
        """Look and act again and again. Runs until it is cancelled."""
        self._watching = True
        while not self.removed:
            self._changed.clear()
            try:
                await self._round()
            except Exception:
                logger.exception("unexpected failure", extra={"model": self.entry.settings.name})
                self._next_look = time.monotonic() + self._environment.poll_seconds
            try:
                async with asyncio.timeout(self._seconds_to_next_round()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def update(self, settings: ResolvedModel) -> None:
        """New settings; what they change is done from the next round on. Settings with which the
        model cannot be served change nothing but its status."""
        self._find_unusable(settings)
        if self._unusable is not None and unusable(self.entry.settings) is None:
            return
        old = self.entry.settings
        self.entry.configure(settings)
        if needs_reload(old, settings):
            self._table.settings_generation += 1
        if old.base_path != settings.base_path:
            self._on_disk = None
        self._apply_labels()
        self._trials.take_over()
        self._looked = False
        self._next_look = 0.0
        self._changed.set()

    def retry(self) -> None:
        """Try what failed again in the next round, whenever it would be due."""
        self._table.retry_now()

    async def remove(self) -> None:
        """Unload everything once its requests are answered. The model must not be found any
        more."""
        self.removed = True
        self._changed.set()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for version in list(self.entry.available()):
            self._start_unload(version)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Give up loads and unloads; the process ends."""
        self.removed = True
        for task in self._tasks:
            task.cancel()

    # Looking.

    async def _round(self) -> None:
        if time.monotonic() >= self._next_look:
            await self._look_and_act()
        else:
            self._act()

    async def _look_and_act(self) -> None:
        self._next_look = time.monotonic() + self._environment.poll_seconds
        self._looked = False
        settings = self.entry.settings
        if unusable(settings) is not None:
            self._next_look, self._looked = math.inf, True
            return
        passed_over = 1 + sum(r.rejected for r in self.entry.versions.values())
        try:
            found = await self._environment.on_scan_thread(
                look,
                settings.base_path,
                self.policy,
                self._table.loaded | self._beside(),
                passed_over,
            )
        except ServingError as error:
            # A base path that cannot be read says nothing about versions: what serves goes on.
            self._base_path_problem(error)
            self._looked = settings is self.entry.settings
            return
        if settings.base_path == self.entry.settings.base_path:
            self._base_path_problem(_nothing_there() if not found.versions else None)
            self._on_disk = found.versions
            self._table.note(found)
            if self._table.unsettled:
                settled_at = time.monotonic() + self._environment.settle_seconds
                self._next_look = min(self._next_look, settled_at)
        self._act()
        self._looked = settings is self.entry.settings

    def _base_path_problem(self, error: ServingError | None) -> None:
        if error is not None and (
            self.entry.error is None or self.entry.error.message != error.message
        ):
            logger.error(
                "no model versions found",
                extra={"model": self.entry.settings.name, "reason": error.message},
            )
        self.entry.error = error or self._unusable

    def _find_unusable(self, settings: ResolvedModel) -> None:
        self._unusable = self.entry.error = unusable(settings)
        if self._unusable is not None:
            foreign = settings.triton is not None and settings.triton.foreign
            logger.log(
                logging.WARNING if foreign else logging.ERROR,
                "model cannot be served",
                extra={"model": settings.name, "reason": self._unusable.message},
            )

    # Deciding.

    def _act(self) -> None:
        self._acted_at = time.monotonic()
        if self.removed:
            return
        if judged := self._trials.judge():
            self._take_back(*judged)
        if self._on_disk is None:
            # A base path that nobody has seen yet does not say that its versions are gone.
            return
        held = self._trials.held() | self.entry.labels.versions()
        views = self._table.views(self._on_disk, held, self._acted_at)
        rules = self._rules()
        self._wanted = wanted_versions(views, rules)
        self._table.announce(self._wanted)
        plan = make_plan(views, rules)
        for version in plan.unload:
            self._start_unload(version)
        for version in plan.load:
            self._start_load(version)

    def _rules(self) -> SwapRules:
        settings = self.entry.settings
        return SwapRules(
            self.policy,
            resource_preserving=settings.version_swap == "resource_preserving",
            always_present=settings.servable_versions_always_present,
            beside=self._beside(),
        )

    def _beside(self) -> frozenset[int]:
        shadow = self.entry.settings.shadow
        return frozenset([shadow.version] if shadow is not None else [])

    def _seconds_to_next_round(self) -> float | None:
        now = time.monotonic()
        # What fell due since then was not looked at; a look that took long is late already.
        soonest = min(self._next_look, *self._table.next_retry(self._acted_at), math.inf)
        if self._trials.under_way:
            soonest = min(soonest, now + TRIAL_TICK_SECONDS)
        return None if soonest == math.inf else max(0.0, soonest - now)

    # Loading.

    def _start_load(self, version: int) -> None:
        work = self._table.work[version]
        listing, content = work.listing, self._table.content(work)
        assert listing is not None, "only what is on disk can be loaded"
        assert content is not None, "it was seen"
        work.phase = Phase.RELOADING if work.phase.serves else Phase.LOADING
        self.entry.record(version).started()
        self._start(self._load(version, listing, content))

    async def _load(self, version: int, listing: Listing, content: Content) -> None:
        work, record = self._table.work[version], self.entry.record(version)
        try:
            servable = await self._environment.load(self.entry.settings, version, listing.path)
        except ServingError as error:
            self._load_failed(work, record, content, error)
        except Exception:
            logger.exception("unexpected failure of a load")
            unexpected = ServingError(Code.INTERNAL, "the version could not be loaded")
            self._load_failed(work, record, content, unexpected)
        else:
            self._publish(work, record, content, servable)

    def _load_failed(
        self, work: VersionWork, record: VersionRecord, content: Content, error: ServingError
    ) -> None:
        work.phase = Phase.AVAILABLE if work.phase is Phase.RELOADING else Phase.ABSENT
        delay = work.load_failed(content, self._environment.retry, time.monotonic())
        record.failed(error)
        extra = {
            "model": self.entry.settings.name,
            "version": record.version,
            "reason": error.message,
            "retry": f"in {delay:g} s" if delay < math.inf else "when its folder changes",
        }
        logger.error("model version not loaded", extra=extra)

    def _publish(
        self, work: VersionWork, record: VersionRecord, content: Content, servable: Servable
    ) -> None:
        work.loaded_content(content)
        former = record.available(servable)
        self._trials.take_over()
        # The start-up lines tell of those that are there from the start.
        logger.log(
            logging.INFO if self._watching else logging.DEBUG,
            "model version available",
            extra={"model": servable.name, "version": servable.version},
        )
        if former is not None:
            self._start(self._environment.unload(former))

    # Unloading.

    def _start_unload(self, version: int) -> None:
        work, record = self._table.work[version], self.entry.versions[version]
        servable = record.leaving()
        work.phase, work.loaded = Phase.UNLOADING, None
        self.entry.refresh()
        self._start(self._unload(work, record, servable))

    async def _unload(self, work: VersionWork, record: VersionRecord, servable: Servable) -> None:
        try:
            await self._environment.unload(servable)
        finally:
            work.phase = Phase.ABSENT
            record.ended()
            logger.info(
                "model version unloaded",
                extra={"model": servable.name, "version": servable.version},
            )

    def _take_back(self, record: VersionRecord, verdict: str) -> None:
        work = self._table.work[record.version]
        record.rejected, work.rejected = True, work.loaded
        record.error = ServingError(Code.FAILED_PRECONDITION, verdict)
        self.entry.refresh()
        logger.error(
            "model version taken back",
            extra={
                "model": self.entry.settings.name,
                "version": record.version,
                "reason": verdict,
            },
        )

    # Helpers.

    def _apply_labels(self) -> None:
        labels = self.entry.settings.version_labels
        self.entry.labels.want(
            {name: {to: 1.0} if isinstance(to, int) else dict(to) for name, to in labels.items()}
        )

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        if not task.cancelled() and task.exception() is not None:
            logger.error("unexpected failure", exc_info=task.exception())


def _nothing_there() -> ServingError:
    return ServingError(Code.NOT_FOUND, "the base path holds no numbered version folder")
