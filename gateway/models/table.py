"""One model's versions, on disk and in memory, as the planner sees them."""

from __future__ import annotations

import math
import time
from collections.abc import Collection

from gateway.models.looking import Look
from gateway.models.planner import VersionView
from gateway.models.registry import ModelEntry
from gateway.models.settling import Settling
from gateway.models.versions import State
from gateway.models.work import Content, VersionWork


class VersionTable:
    """What was found in the folders, what is loaded of it, and what came of trying."""

    def __init__(self, entry: ModelEntry, settle_seconds: float) -> None:
        self.settings_generation = 0
        """Grows with every change of the settings that needs the versions loaded again."""
        self.work: dict[int, VersionWork] = {}
        self._entry = entry
        self._settling = Settling(settle_seconds)

    @property
    def loaded(self) -> set[int]:
        """Versions that serve."""
        return {v for v, work in self.work.items() if work.loaded is not None}

    @property
    def unsettled(self) -> bool:
        """Whether a folder is still being written, as far as can be told."""
        return any(w.listing is not None and not w.settled for w in self.work.values())

    def next_retry(self, after: float) -> list[float]:
        """When failed loads are due again, in monotonic seconds, but for what fell due before
        ``after``."""
        return [work.retry_at for work in self.work.values() if work.retry_at > after]

    def retry_now(self) -> None:
        """Failed loads are due."""
        for work in self.work.values():
            work.retry_at = -math.inf

    def content(self, work: VersionWork) -> Content | None:
        """What a load would load now; None when the folder is gone or does not matter."""
        if work.listing is None:
            return None
        return work.listing.fingerprint, self.settings_generation

    def note(self, found: Look) -> None:
        """Take in a look at the folders."""
        self._settling.forget_all_but(found.versions)
        now, wall_clock = time.monotonic(), time.time()
        for version in self.work.keys() - found.listings.keys():
            self.work[version].listing = None
            if version not in found.versions and not self.work[version].phase.in_memory:
                del self.work[version]
        for version, listing in found.listings.items():
            work = self.work.setdefault(version, VersionWork())
            settled = self._settling.is_settled(version, listing, now, wall_clock)
            work.seen(listing, settled=settled)
            self._forget_error(version, work)

    def views(
        self, on_disk: frozenset[int], held: Collection[int], now: float
    ) -> dict[int, VersionView]:
        in_memory = {v for v, work in self.work.items() if work.phase.in_memory}
        return {
            version: self._view(version, now, on_disk=version in on_disk, held=version in held)
            for version in on_disk | in_memory
        }

    def announce(self, wanted: frozenset[int]) -> None:
        """Versions that wait for their folder to settle are listed too; those that vanished, or
        ceased to be wanted, before they were ever loaded are not."""
        for version in wanted:
            if version not in self._entry.versions:
                self._entry.record(version)
        for version, record in list(self._entry.versions.items()):
            if record.state is State.START and version not in wanted:
                del self._entry.versions[version]
        self._entry.forget_old_ends(wanted)

    def _view(self, version: int, now: float, *, on_disk: bool, held: bool) -> VersionView:
        work = self.work.get(version) or VersionWork()
        content = self.content(work)
        record = self._entry.versions.get(version)
        return VersionView(
            work.phase,
            on_disk=on_disk,
            ready_to_load=content is not None and work.settled and work.may_try(content, now),
            stale=content is not None and work.loaded is not None and work.loaded != content,
            failed=content is not None and work.failed == content,
            rejected=record is not None and record.rejected and content in (None, work.rejected),
            held=held,
        )

    def _forget_error(self, version: int, work: VersionWork) -> None:
        """Nothing is wrong any more once the folder holds again what is served."""
        record = self._entry.versions.get(version)
        if record is None or record.servable is None or record.rejected:
            return
        if work.loaded == self.content(work):
            record.error = None
