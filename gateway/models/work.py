"""What a controller remembers of one version between its looks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gateway.models.backoff import RetryPolicy
from gateway.models.planner import Phase
from gateway.models.repository import Listing

Content = tuple[int, int]
"""What a load would load: the folder's fingerprint and the generation of the model's settings."""


@dataclass(slots=True)
class VersionWork:
    """One version on disk or in memory."""

    phase: Phase = Phase.ABSENT
    listing: Listing | None = None
    """The last look at its folder; None when it is gone or does not matter."""
    settled: bool = False
    loaded: Content | None = None
    failed: Content | None = None
    failures: int = 0
    """In a row, of the content ``failed``."""
    retry_at: float = -math.inf
    """Monotonic seconds; not before then is ``failed`` tried again."""
    rejected: Content | None = None

    def seen(self, listing: Listing, *, settled: bool) -> None:
        self.listing, self.settled = listing, settled

    def may_try(self, content: Content, now: float) -> bool:
        """Whether loading ``content`` makes sense now: it never failed, or its retry is due."""
        return self.failed != content or now >= self.retry_at

    def load_failed(self, content: Content, policy: RetryPolicy, now: float) -> float:
        """Count a failure; the seconds until the next try, inf for none."""
        self.failures = self.failures + 1 if self.failed == content else 1
        self.failed = content
        delay = policy.delay(self.failures)
        self.retry_at = now + delay
        return delay

    def loaded_content(self, content: Content) -> None:
        self.phase, self.loaded = Phase.AVAILABLE, content
        self.failed, self.failures, self.retry_at = None, 0, -math.inf
