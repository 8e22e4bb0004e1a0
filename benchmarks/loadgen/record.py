"""What came of a load run."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from benchmarks.loadgen.answers import AnswerCheck

MAX_REASONS = 50
"""A server that is wrong in a new way each time must not fill the memory."""


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the least of the ``ordered`` values that ``share`` (0 to 1) of them do not
    exceed; nan without values."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Outcome(Protocol):
    """What every generator can say of a run."""

    @property
    def answered(self) -> int: ...

    @property
    def errors(self) -> int: ...

    @property
    def faults(self) -> Counter[str]: ...

    @property
    def requests_per_second(self) -> float: ...

    @property
    def server_cpu_per_request(self) -> float: ...

    @property
    def client_busy(self) -> float: ...

    def latency(self, share: float) -> float: ...

    def late(self, share: float) -> float: ...


class Record:
    """Counts, latencies and faults of one run. Times are seconds of ``time.monotonic()``."""

    def __init__(self, check: AnswerCheck) -> None:
        self.started_at = 0.0
        self.last_answer_at = 0.0
        self.latencies = array("d")
        """Of the right answers only."""
        self.counted_from = array("d")
        """When each of them began: sent, or due in an open loop."""
        self.refused = 0
        """Answers that said come again later, where that is allowed; no faults."""
        self.without_retry_after = 0
        """Those of them that did not say when."""
        self.lateness = array("d")
        """By how much the generator itself sent too late (open loop)."""
        self.faults: Counter[str] = Counter()
        self.server_cpu_seconds = math.nan
        """Spent during the run; nan when the server's process is unknown."""
        self.client_cpu_seconds = 0.0
        """Spent by this process during the run."""
        self._check = check

    def answer(self, sample: int, status: int, body: bytes, since: float, now: float) -> None:
        """An answer arrived ``now`` to a request that counts from ``since``."""
        fault = self._check.fault(sample, status, body)
        if fault is None:
            self.latencies.append(now - since)
            self.counted_from.append(since)
        else:
            self.fault(fault)
        self.last_answer_at = now

    def refusal(self, head: bytes, now: float) -> None:
        """An answer that refused a request, with its head."""
        self.refused += 1
        self.without_retry_after += b"\r\nretry-after:" not in head.lower()
        self.last_answer_at = now

    def fault(self, reason: str, requests: int = 1) -> None:
        """Requests that got a wrong answer or none."""
        known = reason in self.faults or len(self.faults) < MAX_REASONS
        if requests:
            self.faults[reason if known else "other faults"] += requests

    @property
    def answered(self) -> int:
        """Right answers."""
        return len(self.latencies)

    @property
    def errors(self) -> int:
        return self.faults.total()

    @property
    def seconds(self) -> float:
        """From the start to the last answer."""
        return max(0.0, self.last_answer_at - self.started_at)

    @property
    def requests_per_second(self) -> float:
        """Right answers per second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def server_cpu_per_request(self) -> float:
        """Seconds of processor time per answer, right or wrong."""
        answers = self.answered + self.errors + self.refused
        return self.server_cpu_seconds / answers if answers else math.nan

    @property
    def client_busy(self) -> float:
        """Share of one core that the load generator used. Near 1, it was the limit."""
        return self.client_cpu_seconds / self.seconds if self.seconds else 0.0

    def within(self, seconds: float) -> int:
        """Right answers that took no longer."""
        return sum(latency <= seconds for latency in self.latencies)

    def latency(self, share: float) -> float:
        """A percentile of the latencies, in seconds."""
        return percentile(sorted(self.latencies), share)

    def late(self, share: float) -> float:
        """A percentile of the generator's own lateness, in seconds."""
        return percentile(sorted(self.lateness), share)
