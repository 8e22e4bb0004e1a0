"""Trouble that lasts is told once a minute, not once a request."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0


class Complaints:
    """Lost entries of one kind. Every call needs the same thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, **subject: str) -> None:
        self._clock = clock
        self._subject = subject
        self._lost = 0
        self._told_at = -math.inf
        self._recovery_is_news = False

    def lost(self, entries: int, reason: str) -> None:
        """Count entries that were not written, and tell so if it is time."""
        self._lost += entries
        now = self._clock()
        if now - self._told_at < INTERVAL_SECONDS:
            return
        logger.error(
            "requests are not logged",
            extra={**self._subject, "reason": reason, "lost": self._lost},
        )
        self._told_at, self._lost, self._recovery_is_news = now, 0, True

    def fine(self) -> None:
        """Something was written; tell so after a complaint."""
        if self._recovery_is_news:
            logger.warning("requests are logged again", extra={**self._subject, "lost": self._lost})
            self._lost, self._recovery_is_news = 0, False
