"""``python -m benchmarks.layers``: what each layer costs a predict request, in process."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.arguments import count
from benchmarks.layers_worker import LAYERS
from benchmarks.machine import describe_machine
from benchmarks.report import ratios, spread, table, write_json

DESCRIPTION = (
    "Processor time of the layers of a predict request in process: no HTTP, no model. In turn with"
    " another checkout if one is given: only ratios of one run can be compared."
)
WORKER = Path(__file__).with_name("layers_worker.py")
TIMEOUT_SECONDS = 120
PACKAGES = ("numpy", "orjson", "pysimdjson")

Times = Mapping[str, Mapping[str, float]]
"""Microseconds a request by case and layer, of one round."""


def run_worker(checkout: Path, rows: int, seconds: float) -> Times:
    """One round of the code in ``checkout``, in a process of its own. Raises CalledProcessError."""
    # Only what is measured comes from the checkout: the other one may not have the worker.
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = (sys.executable, "-P", str(WORKER), f"--rows={rows}", f"--seconds={seconds}")
    done = subprocess.run(
        command,
        env=environment,
        cwd=checkout,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    times: Times = json.loads(done.stdout)
    return times


def show(case: str, rounds: Sequence[Times], others: Sequence[Times]) -> str:
    """A table of one case."""
    head = [case, "us min", "median"] + (["other min", "median", "other / this"] if others else [])
    return table(head, [_row(case, layer, rounds, others) for layer in (*LAYERS, "all")])


def _row(case: str, layer: str, rounds: Sequence[Times], others: Sequence[Times]) -> list[str]:
    own = [_of(times[case], layer) for times in rounds]
    cells = [layer, f"{min(own):.2f}", f"{spread(own).median:.2f}"]
    if others:
        other = [_of(times[case], layer) for times in others]
        cells += [f"{min(other):.2f}", f"{spread(other).median:.2f}", ratios(other, own).show()]
    return cells


def _of(times: Mapping[str, float], layer: str) -> float:
    return sum(times.values()) if layer == "all" else times[layer]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=DESCRIPTION)
    parser.add_argument(
        "--rows", type=count(1024), default=32, help="requests of a batch, one row each"
    )
    parser.add_argument("--rounds", type=count(100), default=5)
    parser.add_argument(
        "--milliseconds", type=count(60_000), default=200, help="of one case in one round"
    )
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    machine = describe_machine(PACKAGES)
    print("\n".join(machine.lines()))
    print(
        f"rounds   {options.rounds} x {options.milliseconds} ms a case, batches of {options.rows}"
    )
    seconds = options.milliseconds / 1000
    own: list[Times] = []
    others: list[Times] = []
    for _ in range(options.rounds):
        own.append(run_worker(WORKER.parents[1], options.rows, seconds))
        if options.against:
            others.append(run_worker(options.against.resolve(), options.rows, seconds))
    for case in own[0]:
        print("\n" + show(case, own, others), flush=True)
    if options.json:
        recorded = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
        write_json(options.json, machine, recorded, [{"this": own, "other": others}])


if __name__ == "__main__":
    main()
