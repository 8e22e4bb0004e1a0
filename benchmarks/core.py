"""``python -m benchmarks.core``: what batching alone costs a request."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from benchmarks.arguments import count, counts
from benchmarks.contenders import Contender, Row, make_contenders, row_of
from benchmarks.machine import describe_machine, loop_speed
from benchmarks.report import Spread, ratios, spread, table, write_json

DESCRIPTION = "What batching alone costs a request: no HTTP, no model."
MAX_BATCH_SIZE = 128
CHECK_TURNS = 20
GOAL, LEAST = 700_000, 300_000
"""Requests a second of processor time, with a function that does nothing."""
SWITCH_INTERVAL_SECONDS = 1e-4
"""The server's own (gateway.server): it decides how fast a device thread gets its turn."""


class WrongAnswer(Exception):
    """A client got something else than its own row: no time of that contender means anything."""


@dataclass(frozen=True, slots=True)
class Round:
    """One timed run. Microseconds per request."""

    cpu: float
    """Of all threads of the process."""
    wall: float
    mean_batch: float


@dataclass(slots=True)
class Series:
    """A contender's rounds at one concurrency."""

    contender: str
    clients: int
    rounds: list[Round] = field(default_factory=list)

    @property
    def cpu(self) -> Spread:
        return spread(self.cpu_rounds())

    @property
    def wall(self) -> Spread:
        return spread([done.wall for done in self.rounds])

    @property
    def mean_batch(self) -> float:
        return spread([done.mean_batch for done in self.rounds]).median

    def cpu_rounds(self) -> list[float]:
        return [done.cpu for done in self.rounds]


def check_answers(answers: Sequence[Row]) -> None:
    """Each client's answer is its own row. Raises WrongAnswer."""
    for number, answer in enumerate(answers):
        if list(answer) != row_of(number):
            raise WrongAnswer(f"client {number} sent {row_of(number)} and got {list(answer)}")


async def check(contender: Contender, clients: int) -> None:
    """Look at every answer of some turns. Raises WrongAnswer."""
    for _ in range(CHECK_TURNS):
        check_answers(await _ask(contender, clients, 1))


async def measure(contender: Contender, clients: int, requests: int) -> Round:
    """Time ``requests`` in all. Raises WrongAnswer when a client's last answer is not its own."""
    turns = max(1, requests // clients)
    rows_before, batches_before = contender.batched()
    wall, cpu = time.perf_counter(), time.process_time()
    answers = await _ask(contender, clients, turns)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    check_answers(answers)
    rows, batches = contender.batched()
    mean_batch = (rows - rows_before) / max(1, batches - batches_before)
    microseconds = 1e6 / (turns * clients)
    return Round(cpu * microseconds, wall * microseconds, mean_batch)


async def compare(clients: int, rounds: int, requests: int, *, device_thread: bool) -> list[Series]:
    """Check all contenders, then time them in turn, ``rounds`` times."""
    contenders = make_contenders(min(clients, MAX_BATCH_SIZE), device_thread=device_thread)
    all_series = [Series(contender.name, clients) for contender in contenders]
    try:
        for contender in contenders:
            await check(contender, clients)
        # As the server does once its models are loaded.
        gc.collect()
        gc.freeze()
        pairs = list(zip(contenders, all_series, strict=True))
        for number in range(rounds):
            # Rotated: nobody always runs in the wake of the same neighbour.
            start = number % len(pairs)
            for contender, series in pairs[start:] + pairs[:start]:
                series.rounds.append(await measure(contender, clients, requests))
    finally:
        gc.unfreeze()
        for contender in contenders:
            contender.close()
    return all_series


async def _ask(contender: Contender, clients: int, turns: int) -> list[Row]:
    return await asyncio.gather(*(contender.client(number, turns) for number in range(clients)))


def show(all_series: Sequence[Series]) -> str:
    """A table of one concurrency; the first two series are the references."""
    clients = all_series[0].clients
    head = (
        f"{clients} clients",
        "CPU us min",
        "median",
        "wall us min",
        "median",
        "requests/s/core max",
        "median",
        "mean batch",
        "CPU / bare future",
        "CPU / tutorial",
    )
    return table(head, [_row(series, *all_series[:2]) for series in all_series])


def _row(series: Series, bare: Series, tutorial: Series) -> list[str]:
    cpu, wall = series.cpu, series.wall
    return [
        series.contender,
        f"{cpu.minimum:.2f}",
        f"{cpu.median:.2f}",
        f"{wall.minimum:.2f}",
        f"{wall.median:.2f}",
        f"{1e6 / cpu.minimum:,.0f}",
        f"{1e6 / cpu.median:,.0f}",
        f"{series.mean_batch:.1f}" if series.mean_batch else "-",
        ratios(series.cpu_rounds(), bare.cpu_rounds()).show(),
        ratios(series.cpu_rounds(), tutorial.cpu_rounds()).show(3),
    ]


def show_goal(results: Sequence[Series]) -> str:
    """How near the best series of a Batcher comes to what is wanted of it."""
    best = min(
        (s for s in results if s.contender.startswith("Batcher")), key=lambda s: s.cpu.median
    )
    reached = 1e6 / best.cpu.median
    return (
        f"best Batcher: {reached:,.0f} requests/s/core (median; {best.contender}, {best.clients} "
        f"clients); goal {GOAL:,}, at least {LEAST:,}"
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core", description=DESCRIPTION)
    parser.add_argument(
        "--clients", type=counts(4096), default=(1, 8, 32, 128, 256), metavar="N,N,..."
    )
    parser.add_argument("--rounds", type=count(100), default=9)
    parser.add_argument(
        "--requests", type=count(1_000_000), default=50_000, help="of one contender in one round"
    )
    parser.add_argument(
        "--device-thread", action="store_true", help="time the Batcher on a DeviceThread as well"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    machine = describe_machine(("numpy", "uvloop"))
    print("\n".join(machine.lines()))
    print(
        f"rounds   {options.rounds} x {options.requests:,} requests of 4 floats, uvloop", end="\n\n"
    )
    results: list[Series] = []
    speeds = [loop_speed()]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for clients in options.clients:
            all_series = runner.run(
                compare(
                    clients, options.rounds, options.requests, device_thread=options.device_thread
                )
            )
            print(show(all_series), end="\n\n", flush=True)
            results += all_series
            speeds.append(loop_speed())
    print(f"loop speed of this core during the run: {spread(speeds).show(1)} M turns/s")
    print(show_goal(results))
    if options.json:
        recorded = {k: v for k, v in vars(options).items() if k != "json"}
        write_json(
            options.json, machine, recorded | {"loop_speeds": speeds}, [asdict(s) for s in results]
        )


if __name__ == "__main__":
    main()
