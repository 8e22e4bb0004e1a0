"""A new version on trial: the old one stays loaded until the new one has shown that it does not
fail more."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.models.outcomes import fails_more
from gateway.models.registry import ModelEntry
from gateway.models.servable import Servable
from gateway.models.versions import VersionRecord


@dataclass(frozen=True, slots=True)
class Trial:
    """A version that took over from another, observed until ``ends_at`` (monotonic seconds)."""

    new: Servable
    old: Servable
    ends_at: float
    min_requests: int

    def verdict(self) -> str:
        """Why the old version must come back; empty while nothing speaks for it."""
        new, old = self.new.outcomes, self.old.outcomes
        if not fails_more(new, old, self.min_requests):
            return ""
        return (
            f"taken back: {new.failed} of {new.total} requests failed, against {old.failed} of "
            f"{old.total} on version {self.old.version}"
        )


class Trials:
    """A model's trial, if one is under way. One at a time: a newer version takes the place of the
    one that has not proven itself, against the same old one."""

    def __init__(self, entry: ModelEntry) -> None:
        self._entry = entry
        self._trial: Trial | None = None

    @property
    def under_way(self) -> bool:
        return self._trial is not None

    def take_over(self) -> None:
        """Let requests go to what is there now, on trial if the settings say so."""
        before = self._entry.latest
        self._entry.refresh()
        latest = self._entry.latest
        if latest is not None and before is not None and latest is not before:
            self._begin(latest, before)

    def judge(self) -> tuple[VersionRecord, str] | None:
        """The version that must go, and why; None as long as nothing speaks against it."""
        trial = self._trial
        if trial is None:
            return None
        record = self._entry.versions.get(trial.new.version)
        if record is None or record.servable is not trial.new:
            self._trial = None
        elif verdict := trial.verdict():
            self._trial = None
            return record, verdict
        elif time.monotonic() >= trial.ends_at:
            self._trial = None
        return None

    def held(self) -> set[int]:
        """The last good version, and what serves in the place of one that was taken back."""
        held = {self._trial.old.version} if self._trial is not None else set()
        taken_back = (r.rejected and r.servable is not None for r in self._entry.versions.values())
        if self._entry.latest is not None and any(taken_back):
            held.add(self._entry.latest.version)
        return held

    def _begin(self, new: Servable, old: Servable) -> None:
        settings = self._entry.settings
        if self._trial is not None and self._trial.new is old:
            # The last good one is the one before, as long as ``old`` has not proven itself.
            old = self._trial.old
        if settings.step_back and new.version > old.version:
            ends_at = time.monotonic() + settings.step_back_window_s
            self._trial = Trial(new, old, ends_at, settings.step_back_min_requests)
