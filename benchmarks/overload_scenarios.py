"""What overload can look like, and what a server is expected to make of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.comparison import Side
from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.open import burst_times, due_times, open_loop
from benchmarks.loadgen.record import Record, percentile

BURST_PERIOD_SECONDS = 0.2
SETTLING_SECONDS = 2.0
RECOVERY_OVERLOAD, RECOVERY_LOAD = 5.0, 0.5
RSS_GROWTH_MEBIBYTES = 64.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """Of all scenarios."""

    side: Side
    peak: float
    """Answers a second that the server gives at most."""
    slo: float
    seconds: float
    connections: int
    """Most in flight of an open loop."""
    resident: Callable[[], float]
    """The server's memory now, in MiB."""


@dataclass(frozen=True, slots=True)
class Line:
    """A figure with its bound."""

    name: str
    value: float
    bound: float
    least: bool
    """Whether the bound is a lower one."""

    @property
    def passed(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    def show(self) -> str:
        verdict = "ok  " if self.passed else "FAIL"
        kind = "at least" if self.least else "at most"
        return f"{verdict}  {self.name}: {self.value:.3g}, {kind} {self.bound:.3g}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario."""

    scenario: str
    offered_per_second: float
    goodput: float
    """Answers within the objective a second, by the peak."""
    p99: float
    """Of the answers, in seconds."""
    refused: int
    errors: int
    faults: dict[str, int]
    generator_busy: float
    lines: list[Line] = field(default_factory=list)


Scenario = Callable[[Conditions], Awaitable[Outcome]]


def paced(factor: float) -> Scenario:
    """A constant rate of so many times the peak."""

    async def run(given: Conditions) -> Outcome:
        due = due_times(factor * given.peak, given.seconds, "constant")
        record = await open_loop(given.side.traffic, due, given.connections)
        outcome = _outcome(f"{factor:g}x paced", record, len(due) / given.seconds, given)
        return _with_lines(outcome, record, given, least_goodput=0.75)

    return run


def stampede(clients: int, least_goodput: float) -> Scenario:
    """So many clients that ask again at once, refused or not."""

    async def run(given: Conditions) -> Outcome:
        before = given.resident()
        record = await closed_loop(given.side.traffic, clients, given.seconds)
        asked = (record.answered + record.refused + record.errors) / record.seconds
        outcome = _outcome(f"{clients} clients", record, asked, given)
        outcome.lines.append(
            Line("memory growth MiB", given.resident() - before, RSS_GROWTH_MEBIBYTES, least=False)
        )
        return _with_lines(outcome, record, given, least_goodput)

    return run


async def bursts(given: Conditions) -> Outcome:
    """Twice the peak on average, all of 200 ms at once."""
    due = burst_times(2 * given.peak, given.seconds, BURST_PERIOD_SECONDS)
    record = await open_loop(given.side.traffic, due, given.connections)
    outcome = _outcome("2x in bursts", record, len(due) / given.seconds, given)
    # Of a burst only what the objective leaves time for can be answered in time.
    possible = min(1.0, given.slo / BURST_PERIOD_SECONDS)
    return _with_lines(outcome, record, given, least_goodput=0.75 * possible)


async def recovery(given: Conditions) -> Outcome:
    """Five times the peak, then half of it: what is asked two seconds later waits no more."""
    half = given.seconds / 2 + SETTLING_SECONDS
    over = due_times(RECOVERY_OVERLOAD * given.peak, given.seconds / 2, "constant")
    calm = due_times(RECOVERY_LOAD * given.peak, half, "constant")
    start = given.seconds / 2
    due = [*over, *(start + when for when in calm)]
    record = await open_loop(given.side.traffic, due, given.connections)
    settled = record.started_at + start + SETTLING_SECONDS
    pairs = zip(record.counted_from, record.latencies, strict=True)
    late = sorted(latency for since, latency in pairs if since >= settled)
    outcome = _outcome("5x, then 0.5x", record, len(due) / due[-1], given)
    p99 = percentile(late, 0.99) * 1e3
    outcome.lines.append(Line("p99 ms 2 s after the overload", p99, given.slo * 1e3, least=False))
    return outcome


def _outcome(name: str, record: Record, offered: float, given: Conditions) -> Outcome:
    seconds = max(record.seconds, 1e-9)
    return Outcome(
        scenario=name,
        offered_per_second=offered,
        goodput=record.within(given.slo) / seconds / given.peak,
        p99=record.latency(0.99),
        refused=record.refused,
        errors=record.errors,
        faults=dict(record.faults.most_common(3)),
        generator_busy=record.client_busy,
    )


def _with_lines(
    outcome: Outcome, record: Record, given: Conditions, least_goodput: float
) -> Outcome:
    outcome.lines.extend(
        (
            Line("goodput by the peak", outcome.goodput, least_goodput, least=True),
            Line("p99 ms of the answers", outcome.p99 * 1e3, 2e3 * given.slo, least=False),
            Line("refusals without Retry-After", record.without_retry_after, 0, least=False),
        )
    )
    return outcome


SCENARIOS: dict[str, Scenario] = {
    "2x": paced(2.0),
    "5x": paced(5.0),
    "stampede-256": stampede(256, 0.85),
    "stampede-1024": stampede(1024, 0.70),
    "bursts": bursts,
    "recovery": recovery,
}


def as_json(outcome: Outcome) -> dict[str, Any]:
    """With its lines and their verdicts."""
    lines = [{"name": x.name, "value": x.value, "bound": x.bound} for x in outcome.lines]
    return {
        "scenario": outcome.scenario,
        "offered_per_second": outcome.offered_per_second,
        "goodput": outcome.goodput,
        "p99_seconds": outcome.p99,
        "refused": outcome.refused,
        "errors": outcome.errors,
        "faults": outcome.faults,
        "generator_busy": outcome.generator_busy,
        "lines": lines,
    }
