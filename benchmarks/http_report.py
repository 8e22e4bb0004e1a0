"""Tables of the HTTP benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.comparison import Measurement
from benchmarks.report import Spread, ratios, spread, table

BUSY_CLIENT = 0.85
"""From this share of a core on, the load generator may have been the limit."""


def show_measurements(measurements: Sequence[Measurement]) -> str:
    """One setting: a row a server, medians over its rounds with minimum and maximum."""
    head = (
        measurements[0].load,
        "requests/s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "p99.9 ms",
        "server CPU ms/request",
        "load generator busy",
        "sent late p99 ms",
        "errors",
    )
    names = list(dict.fromkeys(measurement.server for measurement in measurements))
    return table(head, [_row(name, _of(measurements, name)) for name in names])


def show_ratios(measurements: Sequence[Measurement], server: str, reference: str) -> str:
    """A server by a reference, round by round: median (minimum-maximum)."""
    head = (f"{server} / {reference}", "requests/s", "p50", "p99", "server CPU/request")
    loads = list(dict.fromkeys(measurement.load for measurement in measurements))
    rows = []
    for load in loads:
        ours = _of(measurements, server, load)
        theirs = _of(measurements, reference, load)
        found = (_ratio(ours, theirs, figure) for figure in _RATIO_FIGURES)
        rows.append([load, *(ratio.show() for ratio in found)])
    return table(head, rows)


def _row(name: str, found: Sequence[Measurement]) -> list[str]:
    busy = spread([m.client_busy for m in found])
    return [
        name,
        spread([m.requests_per_second for m in found]).show(0),
        spread([m.p50_ms for m in found]).show(),
        spread([m.p90_ms for m in found]).show(),
        spread([m.p99_ms for m in found]).show(),
        spread([m.p999_ms for m in found]).show(),
        spread([m.server_cpu_ms for m in found]).show(3),
        busy.show() + ("!" if busy.maximum > BUSY_CLIENT else " "),
        spread([m.late_p99_ms for m in found]).show(),
        str(sum(m.errors for m in found)),
    ]


_RATIO_FIGURES: tuple[Callable[[Measurement], float], ...] = (
    lambda m: m.requests_per_second,
    lambda m: m.p50_ms,
    lambda m: m.p99_ms,
    lambda m: m.server_cpu_ms,
)


def _ratio(
    ours: Sequence[Measurement],
    theirs: Sequence[Measurement],
    figure: Callable[[Measurement], float],
) -> Spread:
    return ratios([figure(m) for m in ours], [figure(m) for m in theirs])


def _of(measurements: Sequence[Measurement], server: str, load: str = "") -> list[Measurement]:
    found = [m for m in measurements if m.server == server and load in ("", m.load)]
    return sorted(found, key=lambda measurement: measurement.round)
