"""When a version that failed to load is tried again."""

from __future__ import annotations

import math
from dataclasses import dataclass

FIRST_DELAY_SECONDS = 1.0
GROWTH = 4.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_retries`` after the first failure, each delay four times the one before up to
    ``longest_delay`` seconds: 1, 4, 16, 60, 60 (TF Serving waits a minute each time)."""

    max_retries: int = 5
    longest_delay: float = 60.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row; inf: not before the folder changes."""
        if failures > self.max_retries:
            return math.inf
        return min(self.longest_delay, FIRST_DELAY_SECONDS * GROWTH ** min(failures - 1, 30))
