"""The model that nothing happens to: its latencies while something happens to another."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks.loadgen.answers import Sample
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.open import due_times, open_loop
from benchmarks.loadgen.target import target_of

CONNECTIONS = 64


def steady_traffic(url: str) -> Traffic:
    """Requests to a model that has version 1 of ``export_versions`` alone."""
    values = [float(x) for x in range(8)]
    samples = [
        Sample(
            json.dumps({"instances": [x]}).encode(),
            {"predictions": [{"first": x + 1.0, "second": x + 1000.0}]},
        )
        for x in values
    ]
    return Traffic(target_of(url), samples)


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one stretch of an open loop; milliseconds from when a request was due."""

    p50: float
    p99: float
    p999: float
    requests: int
    errors: int


async def measure(traffic: Traffic, rate: float, seconds: float) -> Latency:
    """Ask at a constant ``rate`` for so many seconds."""
    record = await open_loop(traffic, due_times(rate, seconds, "constant"), CONNECTIONS)
    p50, p99, p999 = (record.latency(share) * 1000 for share in (0.5, 0.99, 0.999))
    return Latency(p50, p99, p999, record.answered, record.errors)
