"""What became of the configurations that a running server was given."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class ConfigStatus:
    """Which configuration is in force, and what was wrong with the last one that is not."""

    generation: int = 1
    """Counts the configurations that were taken; the one of the start is the first."""
    taken_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    error: str = ""
    """Why the newest configuration was refused; empty when it is in force."""
    refused: int = 0

    def taken(self) -> None:
        """The newest configuration is in force."""
        self.generation += 1
        self.taken_at = time.time()
        self.error = ""
