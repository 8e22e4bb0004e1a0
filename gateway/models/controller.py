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
from gateway.models.environment import LoadingEnvironment
from gateway.models.looking import Look, look
from gateway.models.planner import Phase, SwapRules, VersionView, make_plan, wanted_versions
from gateway.models.registry import ModelEntry
from gateway.models.repository import Listing
from gateway.models.servable import Servable
from gateway.models.settling import Settling
from gateway.models.trial import Trial
from gateway.models.version_policy import VersionPolicy, parse_version_policy
from gateway.models.versions import State, VersionRecord
from gateway.models.work import Content, VersionWork

logger = logging.getLogger(__name__)

TRIAL_TICK_SECONDS = 0.25
_WITHOUT_RELOAD = frozenset(
    [
        "model_version_policy",
        "version_labels",
        "default_label",
        "shadow",
        "version_swap",
        "servable_versions_always_present",
        "golden_answers",
        "step_back",
        "step_back_min_requests",
        "step_back_window_s",
        "request_log",
        "request_log_format",
        "request_log_sampling_rate",
        "request_log_max_bytes",
        "request_log_max_files",
    ]
)
"""Settings of a model that take effect without loading its versions again."""


class ModelController:
    """Brings one model to what its settings and its folders say, and keeps it there.

    Lives on the event loop; looks and loads run on threads. Models share nothing but those threads:
    one that is broken, slow or gone does not hold up another.
    """

    def __init__(self, entry: ModelEntry, environment: LoadingEnvironment) -> None:
        self.entry = entry
        self._environment = environment
        self._settings_generation = 0
        self._look: Look | None = None
        self._settling = Settling(environment.settle_seconds)
        self._work: dict[int, VersionWork] = {}
        self._trial: Trial | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._next_look = 0.0
        self._acted_at = 0.0
        self._watching = False
        self._removed = False
        self._apply_labels()

    @property
    def policy(self) -> VersionPolicy:
        return parse_version_policy(self.entry.settings.model_version_policy)

    @property
    def on_its_way(self) -> bool:
        """Whether a version is being loaded, or waits until its folder is complete."""
        states = [r.state for r in self.entry.versions.values()]
        return State.LOADING in states or State.START in states

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
            elif self._unsettled() and not self.entry.ready and waits < 2:
                waits += 1
                await asyncio.sleep(self._environment.settle_seconds * 1.05)
            else:
                return

    async def watch(self) -> None:
        """Look and act again and again. Runs until it is cancelled."""
        self._watching = True
        while not self._removed:
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
        """New settings; what they change is done from the next round on."""
        old, self.entry.settings = self.entry.settings, settings
        changed = {k for k, v in settings if getattr(old, k) != v}
        if changed - _WITHOUT_RELOAD:
            self._settings_generation += 1
        if "base_path" in changed:
            self._look = None
        self._apply_labels()
        self._take_over()
        self._next_look = 0.0
        self._changed.set()

    async def remove(self) -> None:
        """Unload everything once its requests are answered. The model must not be found any
        more."""
        self._removed = True
        self._changed.set()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for version in list(self.entry.available()):
            self._start_unload(version)
        if self._tasks:
            await asyncio.wait(self._tasks)

    # Looking.

    async def _round(self) -> None:
        if time.monotonic() >= self._next_look:
            await self._look_and_act()
        else:
            self._act()

    async def _look_and_act(self) -> None:
        self._next_look = time.monotonic() + self._environment.poll_seconds
        settings = self.entry.settings
        in_memory = {v for v, work in self._work.items() if work.loaded is not None}
        passed_over = 1 + sum(r.rejected for r in self.entry.versions.values())
        try:
            found = await self._environment.on_scan_thread(
                look, settings.base_path, self.policy, in_memory | self._beside(), passed_over
            )
        except ServingError as error:
            # A base path that cannot be read says nothing about versions: what serves goes on.
            self._base_path_problem(error)
            return
        if settings.base_path == self.entry.settings.base_path:
            self._base_path_problem(_nothing_there() if not found.versions else None)
            self._look = found
            self._settling.forget_all_but(found.versions)
            self._note_listings(found)
            if self._unsettled():
                settled_at = time.monotonic() + self._environment.settle_seconds
                self._next_look = min(self._next_look, settled_at)
        self._act()

    def _base_path_problem(self, error: ServingError | None) -> None:
        if error is not None and (
            self.entry.error is None or self.entry.error.message != error.message
        ):
            logger.error(
                "no model versions found",
                extra={"model": self.entry.settings.name, "reason": error.message},
            )
        self.entry.error = error

    def _note_listings(self, found: Look) -> None:
        now, wall_clock = time.monotonic(), time.time()
        for version in self._work.keys() - found.listings.keys():
            self._work[version].listing = None
            if version not in found.versions and not self._work[version].phase.in_memory:
                del self._work[version]
        for version, listing in found.listings.items():
            work = self._work.setdefault(version, VersionWork())
            settled = self._settling.is_settled(version, listing, now, wall_clock)
            work.seen(listing, settled=settled)
            self._forget_error(version, work)

    def _forget_error(self, version: int, work: VersionWork) -> None:
        """Nothing is wrong any more once the folder holds again what is served."""
        record = self.entry.versions.get(version)
        if record is None or record.servable is None or record.rejected:
            return
        if work.loaded == self._content(work):
            record.error = None

    # Deciding.

    def _act(self) -> None:
        self._acted_at = time.monotonic()
        if self._removed:
            return
        self._judge_trial()
        if self._look is None:
            # A base path that nobody has seen yet does not say that its versions are gone.
            return
        views, rules = self._views(self._look.versions), self._rules()
        self._announce(wanted_versions(views, rules))
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

    def _views(self, on_disk: frozenset[int]) -> dict[int, VersionView]:
        in_memory = {v for v, work in self._work.items() if work.phase.in_memory}
        held = self._held()
        return {
            version: self._view(version, on_disk=version in on_disk, held=version in held)
            for version in on_disk | in_memory
        }

    def _view(self, version: int, *, on_disk: bool, held: bool) -> VersionView:
        work = self._work.get(version) or VersionWork()
        content = self._content(work)
        record = self.entry.versions.get(version)
        return VersionView(
            work.phase,
            on_disk=on_disk,
            ready_to_load=content is not None
            and work.settled
            and work.may_try(content, self._acted_at),
            stale=content is not None and work.loaded is not None and work.loaded != content,
            failed=content is not None and work.failed == content,
            rejected=record is not None and record.rejected and content in (None, work.rejected),
            held=held,
        )

    def _content(self, work: VersionWork) -> Content | None:
        if work.listing is None:
            return None
        return work.listing.fingerprint, self._settings_generation

    def _held(self) -> frozenset[int]:
        """Versions that a label in force refers to, the last good one of a trial, and what serves
        in the place of one that was taken back."""
        held = set(self.entry.labels.versions())
        if self._trial is not None:
            held.add(self._trial.old.version)
        taken_back = (r.rejected and r.servable is not None for r in self.entry.versions.values())
        if self.entry.latest is not None and any(taken_back):
            held.add(self.entry.latest.version)
        return frozenset(held)

    def _announce(self, wanted: frozenset[int]) -> None:
        """Versions that wait for their folder to settle are listed too; those that vanished, or
        ceased to be wanted, before they were ever loaded are not."""
        for version in wanted:
            if version not in self.entry.versions:
                self.entry.record(version)
        for version, record in list(self.entry.versions.items()):
            if record.state is State.START and version not in wanted:
                del self.entry.versions[version]
        self.entry.forget_old_ends(wanted)

    def _unsettled(self) -> bool:
        return any(w.listing is not None and not w.settled for w in self._work.values())

    def _seconds_to_next_round(self) -> float | None:
        now = time.monotonic()
        # What fell due since then was not looked at; a look that took long is late already.
        retries = (w.retry_at for w in self._work.values() if w.retry_at > self._acted_at)
        soonest = min(self._next_look, *retries, math.inf)
        if self._trial is not None:
            soonest = min(soonest, now + TRIAL_TICK_SECONDS)
        return None if soonest == math.inf else max(0.0, soonest - now)

    # Loading.

    def _start_load(self, version: int) -> None:
        work = self._work[version]
        listing, content = work.listing, self._content(work)
        assert listing is not None, "only what is on disk can be loaded"
        assert content is not None, "it was seen"
        work.phase = Phase.RELOADING if work.phase.serves else Phase.LOADING
        self.entry.record(version).started()
        self._start(self._load(version, listing, content))

    async def _load(self, version: int, listing: Listing, content: Content) -> None:
        work, record = self._work[version], self.entry.record(version)
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
        self._take_over()
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
        work, record = self._work[version], self.entry.versions[version]
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

    # A new version on trial.

    def _take_over(self) -> None:
        """Let requests go to what is there now."""
        before = self.entry.latest
        self.entry.refresh()
        latest = self.entry.latest
        if latest is not None and before is not None and latest is not before:
            self._begin_trial(latest, before)

    def _begin_trial(self, new: Servable, old: Servable) -> None:
        settings = self.entry.settings
        if self._trial is not None and self._trial.new is old:
            # The last good one is the one before, as long as ``old`` has not proven itself.
            old = self._trial.old
        if settings.step_back and new.version > old.version:
            ends_at = time.monotonic() + settings.step_back_window_s
            self._trial = Trial(new, old, ends_at, settings.step_back_min_requests)

    def _judge_trial(self) -> None:
        trial = self._trial
        if trial is None:
            return
        record = self.entry.versions.get(trial.new.version)
        if record is None or record.servable is not trial.new:
            self._trial = None
        elif verdict := trial.verdict():
            self._trial = None
            self._take_back(record, verdict)
        elif time.monotonic() >= trial.ends_at:
            self._trial = None

    def _take_back(self, record: VersionRecord, verdict: str) -> None:
        work = self._work[record.version]
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
