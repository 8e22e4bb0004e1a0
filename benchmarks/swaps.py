"""``python -m benchmarks.swaps``: hot swaps under load. Exit code 1 when a client noticed one."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import uvloop

from benchmarks.arguments import count, seconds
from benchmarks.lifecycle.export import export_versions
from benchmarks.lifecycle.server import (
    MOVING,
    STEADY,
    lifecycle_server,
    model_url,
    resident_mebibytes,
    until,
)
from benchmarks.lifecycle.steady import Latency, measure, steady_traffic
from benchmarks.lifecycle.watchers import Watchers
from benchmarks.loadgen.server import Server
from benchmarks.loadgen.target import target_of
from benchmarks.machine import describe_machine
from benchmarks.report import table, write_json

DESCRIPTION = (
    "Version after version appears in a model's folder while clients ask it without a pause. "
    "Counts failed requests, answers of two versions, and answers out of order; measures memory, "
    "and the latency of another model before and meanwhile."
)
STRETCH_SECONDS = 2.0
"""Of the other model's load, over and over until the swaps are done."""
WARM_UP_SWAPS = 10
"""Left out of the memory's slope: allocators and caches fill up first."""


@dataclass(frozen=True, slots=True)
class Swaps:
    """What came of a run."""

    answered: int
    faults: dict[str, int]
    versions_seen: int
    swap_seconds: list[float]
    """From the appearance of a folder to the end of the version before it."""
    resident: list[float]
    """Mebibytes, at the start and after each swap."""
    before: Latency
    """The other model's, under the same load on the first one, without swaps."""
    meanwhile: Latency

    @property
    def slope(self) -> float:
        """Mebibytes a swap (Theil-Sen: the median over all pairs, so that steps of the allocator
        count once); nan with too few swaps."""
        values = self.resident[min(WARM_UP_SWAPS, len(self.resident) // 2) :]
        pairs = [
            (values[j] - values[i]) / (j - i)
            for i in range(len(values))
            for j in range(i + 1, len(values))
        ]
        return statistics.median(pairs) if pairs else float("nan")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swaps", description=DESCRIPTION)
    parser.add_argument("--swaps", type=count(1000), default=100)
    parser.add_argument("--connections", type=count(1024), default=64)
    parser.add_argument("--megabytes", type=seconds(1000), default=4.0, help="of each version")
    parser.add_argument("--poll", type=seconds(60), default=0.25, help="seconds between two looks")
    parser.add_argument("--rate", type=count(10_000), default=100, help="of the other model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    return parser.parse_args(arguments)


async def swap_under_load(
    server: Server, staged: Path, served: Path, options: argparse.Namespace
) -> Swaps:
    """Move version after version from ``staged`` to ``served`` while clients ask."""
    traffic = steady_traffic(model_url(server, STEADY))
    watchers = Watchers(target_of(model_url(server, MOVING)))
    await watchers.start(options.connections)
    before = await measure(traffic, options.rate, max(1.0, options.swaps / 10))
    resident, took = [resident_mebibytes(server.pid)], list[float]()
    swapping = asyncio.create_task(_swap(server, staged, served, options.swaps, resident, took))
    stretches = []
    while not swapping.done():
        stretches.append(await measure(traffic, options.rate, STRETCH_SECONDS))
    await swapping
    await watchers.stop()
    return Swaps(
        watchers.answered,
        dict(watchers.faults),
        len(watchers.by_version),
        took,
        resident,
        before,
        _joined(stretches),
    )


async def _swap(
    server: Server, staged: Path, served: Path, swaps: int, resident: list[float], took: list[float]
) -> None:
    for version in range(2, swaps + 2):
        (staged / str(version)).rename(served / str(version))
        took.append(await until(server, partial(_only, version)))
        resident.append(resident_mebibytes(server.pid))


def _only(version: int, states: dict[int, str]) -> bool:
    in_memory = {v for v, state in states.items() if state not in ("END", "START")}
    return in_memory == {version} and states[version] == "AVAILABLE"


def _joined(stretches: Sequence[Latency]) -> Latency:
    """Medians of the stretches' percentiles, sums of their counts."""
    return Latency(
        statistics.median(s.p50 for s in stretches),
        statistics.median(s.p99 for s in stretches),
        statistics.median(s.p999 for s in stretches),
        sum(s.requests for s in stretches),
        sum(s.errors for s in stretches),
    )


def show(swaps: Swaps, options: argparse.Namespace) -> str:
    failed = sum(swaps.faults.values())
    lines = [
        f"{len(swaps.swap_seconds)} swaps, {options.connections} connections, "
        f"{swaps.answered} answers of {swaps.versions_seen} versions, {failed} faults",
        *(f"  {number} x {reason}" for reason, number in swaps.faults.items()),
        f"a swap took {statistics.median(swaps.swap_seconds):.2f} s "
        f"(longest {max(swaps.swap_seconds):.2f})",
        f"resident memory {swaps.resident[0]:.0f} MiB at the start, {swaps.resident[-1]:.0f} at "
        f"the end, slope {swaps.slope:+.3f} MiB a swap (versions of {options.megabytes:g} MB)",
        "",
        table(
            ("the other model", "p50 ms", "p99 ms", "p99.9 ms", "requests", "errors"),
            [_row("without swaps", swaps.before), _row("with swaps", swaps.meanwhile)],
        ),
        f"ratio of p99: {swaps.meanwhile.p99 / swaps.before.p99:.2f}",
    ]
    return "\n".join(lines)


def _row(name: str, latency: Latency) -> tuple[str, ...]:
    times = (f"{ms:.2f}" for ms in (latency.p50, latency.p99, latency.p999))
    return (name, *times, str(latency.requests), str(latency.errors))


def main() -> int:
    options = parse()
    machine = describe_machine()
    print("\n".join(machine.lines()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        staged, served = folder / "staged", folder / MOVING
        export_versions(staged, options.swaps + 1, options.megabytes)
        export_versions(folder / STEADY, 1, 0.1)
        served.mkdir()
        (staged / "1").rename(served / "1")
        with lifecycle_server(folder, options.poll) as server:
            swaps = uvloop.run(swap_under_load(server, staged, served, options))
    print(show(swaps, options))
    if options.json:
        arguments = {**vars(options), "json": str(options.json)}
        write_json(options.json, machine, arguments, [{**asdict(swaps), "slope": swaps.slope}])
    return 1 if swaps.faults or swaps.before.errors or swaps.meanwhile.errors else 0


if __name__ == "__main__":
    sys.exit(main())
