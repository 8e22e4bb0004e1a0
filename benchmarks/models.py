"""``python -m benchmarks.models``: the server beside TensorFlow itself, and beside a thread."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.arguments import choices, count, seconds
from benchmarks.loadgen.cpu import split_cores
from benchmarks.machine import describe_machine
from benchmarks.model_figures import (
    FAILURES,
    Conditions,
    Lone,
    Loop,
    Throughput,
    lone_client,
    loop_lag,
    throughput,
)
from benchmarks.report import ratios, spread, table, write_json
from benchmarks.settings import GENERATORS, describe_generator, generator_of
from benchmarks.stopping import EXIT_INTERRUPTED, EXIT_TERMINATED, exit_on_sigterm
from benchmarks.zoo.catalogue import DEFAULT_FOLDER, MODELS, ensure_models

DESCRIPTION = (
    "Items a second of the server on one core against TensorFlow alone in full batches on the same "
    "core, as JSON and as bytes; a lone client's median against an aiohttp handler that calls the "
    "model in a thread; the event loop's lag and the collector's pauses under a busy device."
)
PARTS = ("throughput", "lone", "loop")
LEAST_JSON, LEAST_BINARY, MOST_LONE = 0.70, 0.95, 1.0
MOST_LAG_MS, MOST_PAUSE_MS = 2.0, 5.0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=DESCRIPTION)
    parser.add_argument(
        "--models", type=choices(tuple(MODELS)), default=("cnn", "mlp"), metavar="NAME,..."
    )
    parser.add_argument("--parts", type=choices(PARTS), default=PARTS, metavar="NAME,...")
    parser.add_argument("--connections", type=count(1024), default=64)
    parser.add_argument("--seconds", type=seconds(60), default=5.0, help="of one run")
    parser.add_argument("--rounds", type=count(20), default=3)
    parser.add_argument("--generator", choices=GENERATORS, default="auto")
    parser.add_argument("--no-pin", dest="pin", action="store_false", help="share all cores")
    parser.add_argument("--models-dir", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="one short round")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds, options.connections = 1, 0.3, 8
    return options


def show_throughput(name: str, rounds: Sequence[Throughput]) -> str:
    """Items a second and their ratios to TensorFlow alone, by the faster of its two calls."""
    head = (f"{name}, items/s", "median", "/ TensorFlow alone", "the same by CPU time", "goal")
    alone = [one.alone for one in rounds]
    rows = [
        [
            f"TensorFlow alone, {call}",
            _median([getattr(one, call).wall for one in rounds]),
            *[""] * 3,
        ]
        for call in ("signature", "session")
    ]
    for body, goal in (("json", LEAST_JSON), ("binary", LEAST_BINARY)):
        found = [rate for one in rounds if (rate := getattr(one, body)) is not None]
        if found:
            wall = ratios([rate.wall for rate in found], [rate.wall for rate in alone]).show()
            cpu = ratios([rate.cpu for rate in found], [rate.cpu for rate in alone]).show()
            median = _median([rate.wall for rate in found])
            rows.append([f"server, {body}", median, wall, cpu, f">= {goal:g}"])
    return table(head, rows)


def show_lone(name: str, rounds: Sequence[Lone]) -> str:
    """Medians of one client at a time."""
    head = (f"{name}, 1 client", "p50 ms", "p99 ms", "p50 / thread", "goal")
    ours, theirs = [one.gateway_p50 for one in rounds], [one.thread_p50 for one in rounds]
    ratio, goal = ratios(ours, theirs).show(), f"<= {MOST_LONE:g}"
    return table(
        head,
        [
            ["server", _ms(ours), _ms([one.gateway_p99 for one in rounds]), ratio, goal],
            ["aiohttp + thread", _ms(theirs), _ms([one.thread_p99 for one in rounds]), "", ""],
        ],
    )


def show_loop(name: str, rounds: Sequence[Loop]) -> str:
    """The event loop's lag, and the longest collection."""
    head = (f"{name}, loop", "p50 ms", "p99 ms", "max ms", "full collection ms", "any ms", "goal")
    goal = f"p99 < {MOST_LAG_MS:g}, full < {MOST_PAUSE_MS:g}"
    rows = [
        [
            title,
            _ms([one.seen.lag_p50 for one in found]),
            _ms([one.seen.lag_p99 for one in found]),
            _ms([one.seen.lag_max for one in found]),
            _ms([max(one.seen.full_pause for one in found)]),
            _ms([max(one.seen.pause for one in found)]),
            goal,
        ]
        for title in dict.fromkeys(one.body for one in rounds)
        if (found := [one for one in rounds if one.body == title])
    ]
    return table(head, rows)


def _median(values: Sequence[float]) -> str:
    return f"{spread(values).median:,.0f}"


def _ms(values: Sequence[float]) -> str:
    return f"{spread(values).median * 1e3:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 2 when something could not be measured or was answered wrong."""
    options = parse(arguments)
    exit_on_sigterm()
    try:
        return _measure(options)
    except (*FAILURES, ValueError, subprocess.SubprocessError) as error:
        print(f"benchmarks.models: {error}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _measure(options: argparse.Namespace) -> int:
    machine = describe_machine()
    server_cores, client_cores = split_cores(pin=options.pin)
    given = Conditions(
        options.models_dir,
        options.connections,
        options.rounds,
        options.seconds,
        generator_of(options.generator),
        server_cores,
        client_cores,
    )
    print("\n".join(machine.lines()))
    print(f"rounds   {given.rounds} x {given.seconds:g} s, {given.connections} connections")
    print(f"load     {describe_generator(given.generator)}", end="\n\n", flush=True)
    results: list[dict[str, Any]] = []
    for name, exported in ensure_models(options.models, options.models_dir).items():
        found: dict[str, Any] = {"model": name}
        if "throughput" in options.parts:
            found["throughput"] = throughput(exported, given)
            print(show_throughput(name, found["throughput"]), end="\n\n", flush=True)
        if "lone" in options.parts:
            found["lone"] = lone_client(exported, given)
            print(show_lone(name, found["lone"]), end="\n\n", flush=True)
        if "loop" in options.parts:
            found["loop"] = loop_lag(exported, given)
            print(show_loop(name, found["loop"]), end="\n\n", flush=True)
        results.append(found)
    if options.json:
        recorded = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
        write_json(options.json, machine, recorded, [_as_json(found) for found in results])
    return 0


def _as_json(found: dict[str, Any]) -> dict[str, Any]:
    return {
        part: value if isinstance(value, str) else [asdict(one) for one in value]
        for part, value in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
