"""``python -m benchmarks.faults``: what the faults of one model's folders cost another model."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.arguments import count, seconds
from benchmarks.lifecycle.export import export_versions
from benchmarks.lifecycle.server import MOVING, STEADY, lifecycle_server, model_url, states
from benchmarks.lifecycle.steady import Latency, measure, steady_traffic
from benchmarks.lifecycle.watchers import Watchers
from benchmarks.loadgen.server import Server
from benchmarks.loadgen.target import target_of
from benchmarks.machine import describe_machine
from benchmarks.report import ratios, table, write_json

DESCRIPTION = (
    "Broken versions, one that is copied for ever, a vanished base path, and a good version that "
    "loads: the latency of another model, each time against the stretch right before it."
)
SPARE = 1_000_000
"""Versions of the faults are numbered from here, above all others."""

Fault = Callable[[Path, Path, int], AbstractAsyncContextManager[None]]
"""Makes a fault in the served folder, from a good version folder, for as long as it is entered; the
number is new each time."""


@asynccontextmanager
async def no_fault(served: Path, good: Path, number: int) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def cut_version(served: Path, good: Path, number: int) -> AsyncIterator[None]:
    """A new version with half of its variables, which is tried again and again."""
    version = await asyncio.to_thread(_copy, good, served, SPARE + number, _cut)
    yield
    shutil.rmtree(version)


@asynccontextmanager
async def damaged_version(served: Path, good: Path, number: int) -> AsyncIterator[None]:
    """A new version with wrong bytes in its variables, which only the framework notices."""
    version = await asyncio.to_thread(_copy, good, served, SPARE + number, _overwrite)
    yield
    shutil.rmtree(version)


@asynccontextmanager
async def half_copied(served: Path, good: Path, number: int) -> AsyncIterator[None]:
    """A new version that grows all the time and never has all its files."""
    version = served / str(SPARE + number)
    (version / "variables").mkdir(parents=True)
    shutil.copy(good / "saved_model.pb", version)
    shutil.copy(good / "variables" / "variables.index", version / "variables")
    growing = asyncio.create_task(_grow(version / "variables" / "part"))
    yield
    growing.cancel()
    shutil.rmtree(version)


@asynccontextmanager
async def vanished_base_path(served: Path, good: Path, number: int) -> AsyncIterator[None]:
    away = served.with_name("away")
    served.rename(away)
    yield
    away.rename(served)


@asynccontextmanager
async def good_version(served: Path, good: Path, number: int) -> AsyncIterator[None]:
    """No fault: a new version that loads, takes over, and goes again. For comparison."""
    version = await asyncio.to_thread(_copy, good, served, SPARE + number)
    yield
    shutil.rmtree(version)


FAULTS: dict[str, Fault] = {
    "nothing": no_fault,
    "a cut-off version": cut_version,
    "a damaged version": damaged_version,
    "a half-copied version": half_copied,
    "a vanished base path": vanished_base_path,
    "a good version": good_version,
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch with a fault and the one right before it."""

    fault: str
    before: Latency
    meanwhile: Latency


def _leave(data: Path) -> None:
    """Change nothing."""


def _cut(data: Path) -> None:
    os.truncate(data, data.stat().st_size // 2)


def _overwrite(data: Path) -> None:
    with data.open("r+b") as content:
        content.seek(-100, os.SEEK_END)
        content.write(b"damage")


def _copy(good: Path, served: Path, version: int, damage: Callable[[Path], None] = _leave) -> Path:
    hidden = served / f".{version}"
    shutil.copytree(good, hidden)
    damage(hidden / "variables" / "variables.data-00000-of-00001")
    return hidden.rename(served / str(version))


async def _grow(file: Path) -> None:
    while True:
        with file.open("ab") as grown:
            grown.write(b"0" * 1000)
        await asyncio.sleep(0.05)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=DESCRIPTION)
    parser.add_argument("--rounds", type=count(20), default=5)
    parser.add_argument("--seconds", type=seconds(60), default=4.0, help="of one stretch")
    parser.add_argument("--rate", type=count(10_000), default=300, help="of the other model")
    parser.add_argument("--connections", type=count(256), default=4, help="on the faulty model")
    parser.add_argument("--megabytes", type=seconds(1000), default=20.0, help="of a version")
    parser.add_argument("--poll", type=seconds(60), default=0.25, help="seconds between two looks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    return parser.parse_args(arguments)


async def run(
    server: Server, served: Path, good: Path, options: argparse.Namespace
) -> tuple[list[Stretch], dict[str, int]]:
    """Every fault in every round, while clients ask the faulty model too."""
    traffic = steady_traffic(model_url(server, STEADY))
    watchers = Watchers(target_of(model_url(server, MOVING)))
    await watchers.start(options.connections)
    await measure(traffic, options.rate, options.seconds)
    stretches = []
    for number in range(options.rounds):
        for name, fault in FAULTS.items():
            before = await measure(traffic, options.rate, options.seconds)
            async with fault(served, good, number):
                meanwhile = await measure(traffic, options.rate, options.seconds)
            stretches.append(Stretch(name, before, meanwhile))
            await _settled(server)
    await watchers.stop()
    return stretches, dict(watchers.faults)


async def _settled(server: Server) -> None:
    """Wait until version 1 is what serves again."""
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.to_thread(states, server, MOVING)
            if [v for v, state in found.items() if state not in ("END", "START")] == [1]:
                return
            await asyncio.sleep(0.1)


def show(stretches: Sequence[Stretch]) -> str:
    rows = []
    for name in FAULTS:
        mine = [s for s in stretches if s.fault == name]
        ratio = ratios([s.meanwhile.p99 for s in mine], [s.before.p99 for s in mine])
        rows.append(
            (
                name,
                *(
                    f"{statistics.median(values):.2f}"
                    for values in (
                        [s.before.p50 for s in mine],
                        [s.meanwhile.p50 for s in mine],
                        [s.before.p99 for s in mine],
                        [s.meanwhile.p99 for s in mine],
                    )
                ),
                ratio.show(),
                str(sum(s.before.errors + s.meanwhile.errors for s in mine)),
            )
        )
    head = ("fault of one model", "p50 before", "meanwhile", "p99 before", "meanwhile")
    return table((*head, "ratio of p99", "errors"), rows)


def main() -> int:
    options = parse()
    machine = describe_machine()
    print("\n".join(machine.lines()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        served, good = folder / MOVING, folder / "good" / "1"
        export_versions(folder / "good", 1, options.megabytes)
        shutil.copytree(good, served / "1")
        export_versions(folder / STEADY, 1, 0.1)
        with lifecycle_server(folder, options.poll) as server:
            stretches, faults = uvloop.run(run(server, served, good, options))
    print("Latency of the other model in ms, medians over the rounds:")
    print(show(stretches))
    print(f"Clients of the faulty model: {sum(faults.values())} faults {faults or ''}")
    if options.json:
        results = [
            {"fault": s.fault, "p99_before": s.before.p99, "p99_meanwhile": s.meanwhile.p99}
            for s in stretches
        ]
        write_json(options.json, machine, {**vars(options), "json": str(options.json)}, results)
    errors = sum(s.before.errors + s.meanwhile.errors for s in stretches)
    return 1 if faults or errors else 0


if __name__ == "__main__":
    sys.exit(main())
