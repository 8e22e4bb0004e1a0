"""``python -m benchmarks.overload``: goodput and refusals at twice and five times the peak."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from benchmarks.arguments import choices, count, seconds
from benchmarks.comparison import Side, check
from benchmarks.http_sides import side_of
from benchmarks.lifecycle.server import resident_mebibytes
from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.cpu import placed_on, split_cores
from benchmarks.loadgen.processes import descendants
from benchmarks.machine import describe_machine
from benchmarks.overload_scenarios import SCENARIOS, Conditions, Outcome, as_json
from benchmarks.peers.contest import FAILURES
from benchmarks.peers.wires import PREDICTIONS
from benchmarks.report import table, write_json
from benchmarks.servers import gateway_server, running_on
from benchmarks.stopping import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    cancelled_by_sigterm,
    exit_on_sigterm,
)
from benchmarks.zoo.catalogue import DEFAULT_FOLDER, MODELS, Exported, ensure_models

T = TypeVar("T")

DESCRIPTION = (
    "The gateway asked for more than it can do, with a queue budget: answers within the objective "
    "by its peak, and whether refusals say when to come again. Take a model that is slow enough "
    "for the load generator to ask five times too much of."
)
PEAK_CONNECTIONS = 64
CALM_FACTOR = 2.0
"""The objective, if none is given, by the median that those connections see of a server that
refuses nothing."""
BUDGET_SHARE = 0.6
"""Of the objective: what a request may wait in the queue, if nothing else is said. The rest is for
reading it, for the batch it waits behind and for its answer."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=DESCRIPTION)
    parser.add_argument("--model", choices=tuple(MODELS), default="cnn")
    parser.add_argument("--slo-ms", type=seconds(60_000), help="the objective")
    parser.add_argument("--queue-budget-ms", type=seconds(60_000), help="0.6 of the objective")
    parser.add_argument("--flag", action="append", default=[], help="more flags of the server")
    parser.add_argument("--seconds", type=seconds(60), default=6.0, help="of one scenario")
    parser.add_argument("--connections", type=count(4096), default=1024, help="most in flight")
    parser.add_argument(
        "--scenarios", type=choices(tuple(SCENARIOS)), default=tuple(SCENARIOS), metavar="NAME,..."
    )
    parser.add_argument("--no-pin", dest="pin", action="store_false", help="share all cores")
    parser.add_argument("--models-dir", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="half a second of each")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seconds, options.connections = 0.5, 128
    return options


async def run(side: Side, pid: int, options: argparse.Namespace) -> list[Outcome]:
    """All scenarios, each against a peak taken right before it. Raises WrongAnswers."""
    await check(side)
    outcomes = []
    for name in options.scenarios:
        await closed_loop(side.traffic, PEAK_CONNECTIONS, min(1.0, options.seconds))
        calm = await closed_loop(side.traffic, PEAK_CONNECTIONS, options.seconds / 2)
        peak = calm.requests_per_second
        given = Conditions(
            side,
            peak,
            options.slo_ms / 1e3,
            options.seconds,
            options.connections,
            partial(resident, pid),
        )
        outcome = await SCENARIOS[name](given)
        outcomes.append(outcome)
        print(show(outcome, peak), end="\n\n", flush=True)
    return outcomes


async def calm_median(side: Side, pid: int, options: argparse.Namespace) -> float:
    """Seconds."""
    await check(side)
    await closed_loop(side.traffic, PEAK_CONNECTIONS, min(1.0, options.seconds))
    record = await closed_loop(side.traffic, PEAK_CONNECTIONS, options.seconds / 2)
    return record.latency(0.5)


def resident(pid: int) -> float:
    """Memory of a server's processes in MiB; pages that they share count for each."""
    return sum(map(resident_mebibytes, (pid, *descendants(pid))))


def show(outcome: Outcome, peak: float) -> str:
    """A table of one scenario and its pass lines."""
    head = (
        *(outcome.scenario, "peak/s", "asked/s", "goodput / peak", "p99 ms"),
        *("refused", "errors", "load generator busy"),
    )
    row = [
        "",
        f"{peak:,.0f}",
        f"{outcome.offered_per_second:,.0f}",
        f"{outcome.goodput:.1%}",
        f"{outcome.p99 * 1e3:.1f}",
        f"{outcome.refused}",
        f"{outcome.errors}",
        f"{outcome.generator_busy:.2f}",
    ]
    lines = [line.show() for line in outcome.lines]
    faults = [f"      {number} x {fault}" for fault, number in outcome.faults.items()]
    return "\n".join((table(head, [row]), *lines, *faults))


def _serve(
    exported: Exported,
    options: argparse.Namespace,
    flags: Sequence[str],
    work: Callable[[Side, int, argparse.Namespace], Coroutine[Any, Any, T]],
) -> T:
    """What ``work`` makes of a server with these flags."""
    server_cores, client_cores = split_cores(pin=options.pin)
    on_uvloop = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with tempfile.TemporaryDirectory() as folder:
        server = gateway_server("tensorgate", [exported], Path(folder), flags)
        running = running_on(server_cores, server)
        with running, placed_on(client_cores), on_uvloop as runner:
            side = side_of(server, PREDICTIONS.requests(exported), may_refuse=True)
            return runner.run(cancelled_by_sigterm(work(side, server.pid, options)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; 1 when an answer was wrong or missing; 2 when nothing could be measured.
    Pass lines are shown, not judged: on a busy machine none of them means much."""
    options = parse(arguments)
    exit_on_sigterm()
    try:
        return _measure(options)
    except (*FAILURES, ValueError, subprocess.CalledProcessError) as error:
        print(f"benchmarks.overload: {error}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _measure(options: argparse.Namespace) -> int:
    machine = describe_machine()
    print("\n".join(machine.lines()), flush=True)
    exported = ensure_models([options.model], options.models_dir)[options.model]
    if options.slo_ms is None:
        options.slo_ms = CALM_FACTOR * _serve(exported, options, (), calm_median) * 1e3
    budget = options.queue_budget_ms or BUDGET_SHARE * options.slo_ms
    flags = (f"--queue_budget_ms={budget:.0f}", *options.flag)
    objective = f"objective {options.slo_ms:.0f} ms"
    print(f"server   {options.model} with {' '.join(flags)}; {objective}", end="\n\n", flush=True)
    outcomes = _serve(exported, options, flags, run)
    if options.json:
        given = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
        write_json(options.json, machine, given, [as_json(outcome) for outcome in outcomes])
    errors = sum(outcome.errors for outcome in outcomes)
    passed = [line.passed for outcome in outcomes for line in outcome.lines]
    print(f"{sum(passed)} of {len(passed)} lines hold; {errors} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
