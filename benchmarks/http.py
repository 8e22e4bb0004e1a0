"""``python -m benchmarks.http``: predict over HTTP against a bare server under the same load."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import uvloop

from benchmarks.arguments import count, counts, seconds
from benchmarks.comparison import Measurement, Side, WrongAnswers, check, measure_setting
from benchmarks.http_report import show_measurements, show_ratios
from benchmarks.http_sides import running_side, started_sides
from benchmarks.loadgen.cpu import split_cores
from benchmarks.loadgen.server import ServerFailed
from benchmarks.loadgen.wrk import WrkFailed
from benchmarks.machine import describe_machine
from benchmarks.report import write_json
from benchmarks.settings import (
    GENERATORS,
    Closed,
    Open,
    Setting,
    describe_generator,
    generator_of,
)
from benchmarks.stopping import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    cancelled_by_sigterm,
    exit_on_sigterm,
)
from benchmarks.zoo.catalogue import MODELS

DESCRIPTION = (
    "HTTP predict on the demo model against a bare aiohttp app under the same load, as ratios of "
    "one run; or any running server by itself."
)

_FAILURES = (
    *(WrongAnswers, ServerFailed, WrkFailed, CalledProcessError),
    *(OSError, TimeoutError, ValueError),
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=DESCRIPTION)
    parser.add_argument(
        "--connections",
        type=counts(1024),
        default=(1, 16, 64, 256),
        metavar="N,N,...",
        help="closed loops; '' for none",
    )
    parser.add_argument(
        "--rates",
        type=counts(100_000),
        default=(500, 1000, 2000),
        metavar="N,N,...",
        help="open loops, in requests a second; '' for none",
    )
    parser.add_argument("--arrivals", choices=("constant", "poisson"), default="constant")
    parser.add_argument("--seconds", type=seconds(60), default=3.0, help="of one run")
    parser.add_argument("--rounds", type=count(50), default=3)
    parser.add_argument(
        "--no-pin",
        dest="pin",
        action="store_false",
        help="let servers and load share all cores; else one core for either",
    )
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="a third server: the demo of a checkout"
    )
    parser.add_argument(
        "--hot-path-off", action="store_true", help="another server: the demo on aiohttp alone"
    )
    parser.add_argument(
        "--model", choices=tuple(MODELS), help="instead of the demo's; see benchmarks/zoo"
    )
    parser.add_argument(
        "--generator", choices=GENERATORS, default="auto", help="of closed loops; wrk if installed"
    )
    parser.add_argument("--demo-dir", type=Path, help="where the demo model is kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    parser.add_argument("--quick", action="store_true", help="one short round")
    running = parser.add_argument_group("a server that runs already, instead of the demo")
    running.add_argument("--model-url", help="http://127.0.0.1:PORT/v1/models/NAME:predict")
    running.add_argument("--body", type=Path, metavar="FILE", help="the request's JSON body")
    running.add_argument("--pid", type=int, help="its process, for its processor time")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 0.3
        options.connections, options.rates = (8,), (100,)
    if bool(options.model_url) != bool(options.body):
        parser.error("--model-url and --body belong together")
    if not (options.connections or options.rates):
        parser.error("nothing to do: give --connections or --rates")
    return options


def settings_of(options: argparse.Namespace) -> list[Setting]:
    """Closed loops, then open ones."""
    closed: list[Setting] = [
        Closed(connections, generator_of(options.generator)) for connections in options.connections
    ]
    return closed + [Open(rate, options.arrivals) for rate in options.rates]


async def run(
    sides: Sequence[Side], settings: Sequence[Setting], rounds: int, seconds: float
) -> list[Measurement]:
    """Check all sides, measure and print setting by setting, check again. Raises WrongAnswers."""
    for side in sides:
        await check(side)
    # What is alive now stays: no full collection of it in the middle of a run.
    gc.collect()
    gc.freeze()
    measurements: list[Measurement] = []
    for setting in settings:
        found = await measure_setting(sides, setting, rounds, seconds)
        print(show_measurements(found), end="\n\n", flush=True)
        measurements += found
    if not any(measurement.errors for measurement in measurements):
        # wrk saw no answer but its status.
        for side in sides:
            await check(side)
    return measurements


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; 1 when a request failed or was answered wrong; 2 when nothing could be
    measured."""
    options = parse(arguments)
    exit_on_sigterm()
    try:
        return _compare(options)
    except _FAILURES as error:
        print(f"benchmarks.http: {error}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _compare(options: argparse.Namespace) -> int:
    machine = describe_machine()
    print("\n".join((*machine.lines(), *_conditions(options))), end="\n\n", flush=True)
    with ExitStack() as stack:
        if options.model_url:
            sides = [running_side(options.model_url, options.body.read_bytes(), options.pid)]
        else:
            sides = stack.enter_context(started_sides(options))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        work = run(sides, settings_of(options), options.rounds, options.seconds)
        measurements = runner.run(cancelled_by_sigterm(work))
    for reference in sides[1:]:
        print(show_ratios(measurements, sides[0].name, reference.name), end="\n\n")
    if options.json:
        write_json(options.json, machine, _recorded(options), [asdict(m) for m in measurements])
    errors = sum(measurement.errors for measurement in measurements)
    print(f"{errors} errors in {sum(m.requests for m in measurements) + errors:,} requests")
    return 1 if errors else 0


def _conditions(options: argparse.Namespace) -> list[str]:
    server_cores, client_cores = split_cores(pin=options.pin)
    cores = "servers and load share all cores"
    if server_cores:
        cores = f"servers on core {min(server_cores)}, load on core {min(client_cores)}"
    lines = [f"rounds   {options.rounds} x {options.seconds:g} s each, interleaved; {cores}"]
    lines.append(f"load     {describe_generator(generator_of(options.generator))}")
    if environment := _gateway_environment():
        lines.append(f"settings {' '.join(f'{k}={v}' for k, v in environment.items())}")
    return lines


def _gateway_environment() -> dict[str, str]:
    """Settings that the gateway inherits from here."""
    return {name: value for name, value in os.environ.items() if name.startswith("GATEWAY_")}


def _recorded(options: argparse.Namespace) -> dict[str, Any]:
    given = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    return given | {"environment": _gateway_environment()}


if __name__ == "__main__":
    sys.exit(main())
