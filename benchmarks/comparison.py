"""Servers side by side under the same loads: checked first, then timed in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.record import Outcome
from benchmarks.machine import loop_speed
from benchmarks.settings import Setting

CHECK_REQUESTS = 800
CHECK_CONNECTIONS = 64
CHECK_SECONDS = 30.0
WARMUP_SECONDS = 0.3


class WrongAnswers(Exception):
    """A server's answers are not right: its times would mean nothing."""


@dataclass(frozen=True, slots=True)
class Side:
    """A server in the comparison."""

    name: str
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Measurement:
    """One server under one load in one round."""

    load: str
    server: str
    round: int
    requests_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    server_cpu_ms: float
    """Per request; nan when the server's process is unknown."""
    client_busy: float
    """Share of a core that the load generator used."""
    late_p99_ms: float
    """The generator's own delay in sending (open loop); nan for a closed loop."""
    loop_speed: float
    """Of the load generator's core just before, in million turns a second."""
    requests: int
    errors: int
    faults: dict[str, int]


async def check(side: Side) -> None:
    """Compare every answer, alone and among others. Raises WrongAnswers."""
    samples = len(side.traffic.requests)
    for connections, requests in ((1, samples), (CHECK_CONNECTIONS, CHECK_REQUESTS)):
        record = await closed_loop(side.traffic, connections, CHECK_SECONDS, requests)
        if record.errors or not record.answered:
            (reason, count), *_ = record.faults.most_common(1) or [("no answer", 1)]
            raise WrongAnswers(f"{side.name}: {reason} ({count} times of {requests})")


async def measure(side: Side, setting: Setting, seconds: float, number: int) -> Measurement:
    """One run. Faults are counted, not raised."""
    speed = loop_speed()
    record = await setting.run(side.traffic, seconds)
    return _measurement(side.name, setting.label, number, speed, record)


async def measure_setting(
    sides: Sequence[Side], setting: Setting, rounds: int, seconds: float
) -> list[Measurement]:
    """Warm up, then all rounds of one setting, interleaved: A B, B A, A B."""
    for side in sides:
        await setting.warm_up(side.traffic, min(WARMUP_SECONDS, seconds))
    turns = [
        (number, side)
        for number in range(rounds)
        for side in (reversed(sides) if number % 2 else sides)
    ]
    return [await measure(side, setting, seconds, number) for number, side in turns]


def _measurement(server: str, load: str, number: int, speed: float, record: Outcome) -> Measurement:
    return Measurement(
        load=load,
        server=server,
        round=number,
        requests_per_second=record.requests_per_second,
        p50_ms=record.latency(0.50) * 1e3,
        p90_ms=record.latency(0.90) * 1e3,
        p99_ms=record.latency(0.99) * 1e3,
        p999_ms=record.latency(0.999) * 1e3,
        server_cpu_ms=record.server_cpu_per_request * 1e3,
        client_busy=record.client_busy,
        late_p99_ms=record.late(0.99) * 1e3,
        loop_speed=speed,
        requests=record.answered,
        errors=record.errors,
        faults=dict(record.faults.most_common(5)),
    )
