"""``python -m benchmarks.simulation``: batching policies on simulated devices, with pass lines."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from benchmarks.arguments import count
from benchmarks.machine import describe_machine
from benchmarks.report import table, write_json
from benchmarks.simulation.gates import GATE_CELLS, GATE_LOADS, OVERLOAD, Key, gates
from benchmarks.simulation.laws import LAWS, Law
from benchmarks.simulation.run import Result, simulate
from benchmarks.simulation.systems import SYSTEMS
from benchmarks.simulation.workloads import ClosedLoad, Load, OpenLoad

DESCRIPTION = (
    "The real batcher on a simulated clock and device, against timers and AIMD. Deterministic: it "
    "measures policies, not this machine."
)
Cell = tuple[Load, Sequence[str]]
"""A load and the systems that get it."""
LOADS: tuple[Load, ...] = (
    *GATE_LOADS,
    OpenLoad(0.95),
    OVERLOAD,
    OpenLoad(0.7, bursts=True),
    ClosedLoad(8),
    ClosedLoad(32),
)
REQUESTS, QUICK_REQUESTS = 20_000, 4_000


async def simulate_all(cells: Sequence[Cell], requests: int) -> dict[Key, Result]:
    """The cells' systems under their loads, for every law."""
    return {
        (law.name, load.name, name): await simulate(
            SYSTEMS[name], law, load, load.requests(law, requests)
        )
        for law in LAWS.values()
        for load, names in cells
        for name in names
    }


def show(law: Law, load: Load, results: dict[Key, Result]) -> str:
    """A table of one law under one load; times in milliseconds."""
    head = (
        f"{law.name}, {load.name}",
        "p50 ms",
        "p99 ms",
        f"within {law.slo * 1e3:g} ms",
        "answers/s",
        "refused",
        "mean batch",
        "device busy",
    )
    found = {name: results.get((law.name, load.name, name)) for name in SYSTEMS}
    return table(head, [_row(name, result) for name, result in found.items() if result])


def _row(name: str, result: Result) -> list[str]:
    return [
        name,
        f"{result.p50 * 1e3:.2f}",
        f"{result.p99 * 1e3:.2f}",
        f"{result.goodput:.1%}",
        f"{result.per_second:,.0f}",
        f"{result.refused}",
        f"{result.mean_batch:.1f}",
        f"{result.busy:.0%}",
    ]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulation", description=DESCRIPTION
    )
    parser.add_argument("--requests", type=count(1_000_000), default=REQUESTS, help="of one cell")
    parser.add_argument(
        "--quick", action="store_true", help=f"the gates alone, {QUICK_REQUESTS} requests a cell"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every cell to FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a gate does not hold."""
    options = parse(arguments)
    machine = describe_machine(("numpy", "uvloop"))
    requests = QUICK_REQUESTS if options.quick else options.requests
    cells: Sequence[Cell] = [(load, tuple(SYSTEMS)) for load in LOADS]
    if options.quick:
        cells = GATE_CELLS
    print("\n".join(machine.lines()))
    print(f"cells    {requests:,} requests each (overload: more), seeded", end="\n\n", flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(simulate_all(cells, requests))
    for law in LAWS.values():
        for load, _ in cells:
            print(show(law, load, results), end="\n\n")
    verdicts = gates(results)
    print("\n".join(gate.show() for gate in verdicts))
    if options.json:
        listed = [
            {"law": law, "load": load, "system": system} | asdict(result)
            for (law, load, system), result in results.items()
        ]
        write_json(options.json, machine, {"requests": requests}, listed)
    return 0 if all(gate.passed for gate in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
