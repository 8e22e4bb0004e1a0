"""When a process that died is started again, and when that makes no sense any more."""

from __future__ import annotations

from collections import deque

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 10.0
MOST_DEATHS, WITHIN_SECONDS = 5, 60.0


class Restarts:
    """Of one process. A function of what it is told: it reads no clock."""

    def __init__(self) -> None:
        self._last_deaths: deque[float] = deque(maxlen=MOST_DEATHS)
        self._in_a_row = 0
        """Deaths with less than WITHIN_SECONDS between one and the next."""

    def died(self, now: float) -> float | None:
        """Seconds until it is to be started again, twice as many each time in a row; None after
        ``MOST_DEATHS`` within ``WITHIN_SECONDS``."""
        if self._last_deaths and now - self._last_deaths[-1] >= WITHIN_SECONDS:
            self._in_a_row = 0
        self._in_a_row += 1
        self._last_deaths.append(now)
        if len(self._last_deaths) == MOST_DEATHS and now - self._last_deaths[0] < WITHIN_SECONDS:
            return None
        doublings = min(self._in_a_row - 1, 30)
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0**doublings)
