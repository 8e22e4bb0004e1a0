"""Latencies of any number of requests in little memory: an HDR histogram."""

from __future__ import annotations

import io
from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

SIGNIFICANT_DIGITS = 3
LONGEST_SECONDS = 3600.0
_MICROSECOND = 1e-6
_TICKS = 5


class LatencyHistogram:
    """From 1 us to an hour, to three digits. Filled after a run, not during one: a value costs the
    package about a microsecond."""

    def __init__(self) -> None:
        self._counts = HdrHistogram(1, round(LONGEST_SECONDS / _MICROSECOND), SIGNIFICANT_DIGITS)

    def add(self, latencies: Iterable[float]) -> None:
        """Record seconds; what is longer than an hour counts as one."""
        record = self._counts.record_value
        for latency in latencies:
            record(max(1, round(min(latency, LONGEST_SECONDS) / _MICROSECOND)))

    def __len__(self) -> int:
        total: int = self._counts.get_total_count()
        return total

    def percentile(self, share: float) -> float:
        """In seconds, for a share from 0 to 1; nan without values."""
        if not len(self):
            return float("nan")
        value: float = self._counts.get_value_at_percentile(share * 100)
        return value * _MICROSECOND

    def distribution(self) -> str:
        """All percentiles in milliseconds, as HdrHistogram's plotter reads them (.hgrm)."""
        out = io.BytesIO()
        self._counts.output_percentile_distribution(out, 1000.0, _TICKS)
        return out.getvalue().decode()
