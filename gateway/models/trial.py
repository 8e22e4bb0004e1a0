"""A new version on trial: the old one stays loaded until the new one has shown that it does not
fail more."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.models.outcomes import fails_more
from gateway.models.servable import Servable


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
