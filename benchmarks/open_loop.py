"""``python -m benchmarks.open_loop``: latency and goodput at rates, or at shares of the peak."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.arguments import count, counts, seconds, shares
from benchmarks.comparison import Side, check
from benchmarks.loadgen.cpu import placed_on, split_cores
from benchmarks.loadgen.histogram import LatencyHistogram
from benchmarks.loadgen.open import Arrivals, due_times, open_loop
from benchmarks.loadgen.record import Record
from benchmarks.machine import describe_machine
from benchmarks.peers.catalogue import BARE, PEERS
from benchmarks.peers.contest import FAILURES, started
from benchmarks.report import spread, table, write_json
from benchmarks.settings import GENERATORS, Closed, describe_generator, generator_of
from benchmarks.stopping import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    cancelled_by_sigterm,
    exit_on_sigterm,
)
from benchmarks.zoo.catalogue import DEFAULT_FOLDER, MODELS, ensure_models

DESCRIPTION = (
    "Open loops: requests are due at constant or random times, and a latency counts from when its "
    "request was due. Rates are given, or shares of the peak that a closed loop reaches right "
    "before each round; shares above 1 are overload."
)
EVERYONE = PEERS | {BARE.name: BARE}
BUSY_CLIENT = 0.85
SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)


@dataclass(slots=True)
class Series:
    """One load over the rounds."""

    name: str
    rates: list[float] = field(default_factory=list)
    histogram: LatencyHistogram = field(default_factory=LatencyHistogram)
    due: int = 0
    within: int = 0
    refused: int = 0
    errors: int = 0
    busy: float = 0.0
    """Of the generator, at most."""
    late: float = 0.0
    """The generator's own, p99 of the worst round, in seconds."""

    def add(self, rate: float, record: Record, due: int, slo: float) -> None:
        self.rates.append(rate)
        self.histogram.add(record.latencies)
        self.due += due
        self.within += record.within(slo)
        self.refused += record.refused
        self.errors += record.errors
        self.busy = max(self.busy, record.client_busy)
        self.late = max(self.late, record.late(0.99))

    @property
    def goodput(self) -> float:
        """Share of all that was due that was answered right and in time."""
        return self.within / self.due

    def as_json(self) -> dict[str, Any]:
        named = ("p50", "p90", "p99", "p999", "max")
        percentiles = (self.histogram.percentile(share) for share in SHARES)
        return {
            "load": self.name,
            "rates": self.rates,
            "seconds": dict(zip(named, percentiles, strict=True)),
            "goodput": self.goodput,
            "refused": self.refused,
            "errors": self.errors,
            "requests": self.due,
            "generator_busy": self.busy,
            "sent_late_p99": self.late,
        }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop", description=DESCRIPTION)
    parser.add_argument("--model", choices=tuple(MODELS), default="mlp")
    parser.add_argument("--server", choices=tuple(EVERYONE), default="tensorgate", metavar="NAME")
    parser.add_argument("--fractions", type=shares(10), default=(0.5, 0.8), metavar="N,N,...")
    parser.add_argument("--rates", type=counts(200_000), default=(), metavar="N,N,...")
    parser.add_argument("--arrivals", choices=("constant", "poisson", "both"), default="both")
    parser.add_argument("--slo-ms", type=seconds(60_000), default=50.0)
    parser.add_argument("--connections", type=count(4096), default=512, help="most in flight")
    parser.add_argument("--peak-connections", type=count(1024), default=64)
    parser.add_argument("--seconds", type=seconds(60), default=5.0, help="of one run")
    parser.add_argument("--rounds", type=count(20), default=2)
    parser.add_argument("--generator", choices=GENERATORS, default="auto", help="of the peak")
    parser.add_argument("--no-pin", dest="pin", action="store_false", help="share all cores")
    parser.add_argument("--models-dir", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--hgrm", type=Path, metavar="FOLDER", help="write whole distributions")
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 0.3
        options.connections, options.peak_connections = 32, 4
    return options


async def run(side: Side, options: argparse.Namespace) -> list[Series]:
    """All rounds. Raises WrongAnswers."""
    await check(side)
    closed = Closed(options.peak_connections, generator_of(options.generator))
    await closed.warm_up(side.traffic, min(1.0, options.seconds))
    series: dict[str, Series] = {}
    for number in range(options.rounds):
        peak = (await closed.run(side.traffic, options.seconds)).requests_per_second
        print(f"round {number + 1}: peak {peak:,.0f}/s, {closed.label}", flush=True)
        for name, rate, arrivals in _loads(options, peak):
            due = due_times(rate, options.seconds, arrivals, seed=number)
            record = await open_loop(side.traffic, due, options.connections)
            found = series.setdefault(name, Series(name))
            found.add(rate, record, len(due), options.slo_ms / 1e3)
    return list(series.values())


def _loads(options: argparse.Namespace, peak: float) -> list[tuple[str, float, Arrivals]]:
    kinds: dict[str, tuple[Arrivals, ...]] = {
        "constant": ("constant",),
        "poisson": ("poisson",),
        "both": ("constant", "poisson"),
    }
    wanted = [
        (f"{fraction:.0%} of peak", max(1.0, fraction * peak)) for fraction in options.fractions
    ]
    wanted += [(f"{rate}/s", float(rate)) for rate in options.rates]
    return [(f"{n}, {kind}", rate, kind) for n, rate in wanted for kind in kinds[options.arrivals]]


def show(series: Sequence[Series], slo_ms: float) -> str:
    """A row a load; latencies of all rounds together."""
    head = (
        *("load", "requests/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"),
        *(f"within {slo_ms:g} ms", "refused", "sent late p99 ms", "load generator busy", "errors"),
    )
    return table(head, [_row(one) for one in series])


def _row(one: Series) -> list[str]:
    return [
        one.name,
        f"{spread(one.rates).median:,.0f}",
        *(f"{one.histogram.percentile(share) * 1e3:.2f}" for share in SHARES),
        f"{one.goodput:.2%}",
        f"{one.refused}",
        f"{one.late * 1e3:.2f}",
        f"{one.busy:.2f}" + ("!" if one.busy > BUSY_CLIENT else " "),
        f"{one.errors}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; 1 when an answer was wrong or missing; 2 when nothing could be measured."""
    options = parse(arguments)
    exit_on_sigterm()
    try:
        return _measure(options)
    except (*FAILURES, ValueError, subprocess.CalledProcessError) as error:
        print(f"benchmarks.open_loop: {error}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _measure(options: argparse.Namespace) -> int:
    peer = EVERYONE[options.server]
    machine = describe_machine()
    generator = describe_generator(generator_of(options.generator))
    print("\n".join((*machine.lines(), f"server   {peer.label}, {options.model}")))
    print(f"load     for the peak: {generator}", end="\n\n", flush=True)
    exported = ensure_models([options.model], options.models_dir)[options.model]
    server_cores, client_cores = split_cores(pin=options.pin)
    running = started(peer, exported, server_cores, may_refuse=True)
    on_uvloop = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with running as (side, _), placed_on(client_cores), on_uvloop as runner:
        series = runner.run(cancelled_by_sigterm(run(side, options)))
    print("\n" + show(series, options.slo_ms), end="\n\n")
    _write(options, machine, series)
    errors = sum(one.errors for one in series)
    print(f"{errors} errors in {sum(one.due for one in series):,} requests")
    return 1 if errors else 0


def _write(options: argparse.Namespace, machine: Any, series: Sequence[Series]) -> None:
    if options.json:
        given = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
        write_json(options.json, machine, given, [one.as_json() for one in series])
    if options.hgrm:
        options.hgrm.mkdir(parents=True, exist_ok=True)
        for one in series:
            name = "".join(c if c.isalnum() else "-" for c in one.name)
            (options.hgrm / f"{name}.hgrm").write_text(one.histogram.distribution())


if __name__ == "__main__":
    sys.exit(main())
