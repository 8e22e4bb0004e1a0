"""Priority levels: how long and how many requests may wait at each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from batching.requirements import require

Action = Literal["reject", "delay"]
"""What becomes of a request that waited longer than its queue time-out."""


@dataclass(frozen=True, slots=True)
class LevelPolicy:
    """The rules of waiting at one priority level. Times are seconds."""

    queue_timeout: float = 0.0
    """How long a request may wait to be sealed; 0 for ever. Its run is never cut short."""
    queue_timeout_action: Action = "reject"
    """What becomes of one that waited longer: it fails with QueueTimeout, or it waits on behind all
    others of its level."""
    allow_timeout_override: bool = False
    """Whether a request may shorten its time-out (give itself one, where there is none)."""
    max_queue_size: int = 0
    """Most requests that wait; 0 for any number."""

    def __post_init__(self) -> None:
        timeout, size = self.queue_timeout, self.max_queue_size
        require(0 <= timeout < math.inf, f"queue_timeout must be 0 or more: {timeout}")
        require(size >= 0, f"max_queue_size must not be negative: {size}")
        action = self.queue_timeout_action
        require(action in ("reject", "delay"), f"queue_timeout_action must not be {action!r}")

    def queue_deadline(self, now: float, asked: float | None) -> float:
        """Until when a request may wait that came ``now`` and asked for a time-out of so many
        seconds; inf for ever."""
        timeout = self.queue_timeout or math.inf
        if asked is not None and asked > 0 and self.allow_timeout_override:
            timeout = min(timeout, asked)
        return now + timeout
