"""Many clients, some of them rude, for a while; every answer is compared with the right one.

``scripts/soak --help``
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.arguments import count, seconds
from benchmarks.correctness.crowd import ONE_BAD_IN, ONE_DISCONNECT_IN, Crowd, Tally, make_cases
from benchmarks.correctness.plan import Plan, make_plan
from benchmarks.correctness.questions import BadFile
from benchmarks.correctness.repository import ModelFolder, find_models, folder
from benchmarks.correctness.serving import ServerFailed, client_of, running
from benchmarks.report import table

QUESTIONS = 64
"""For each signature."""


async def soak(plans: Sequence[Plan], arguments: argparse.Namespace) -> dict[str, Tally]:
    """What became of the requests, by model."""
    cases = [case for plan in plans for case in make_cases(plan)]
    models = [plan.model for plan in plans]
    async with (
        running(models, arguments.config) as server,
        client_of(server.url, arguments.clients) as client,
    ):
        crowd = Crowd(client, cases, arguments.seed)
        before = await client.batch_rows()
        await crowd.run(arguments.clients, arguments.seconds)
        after = await client.batch_rows()
    for (model, signature), (rows, runs) in after.items():
        rows_before, runs_before = before.get((model, signature), (0.0, 0.0))
        crowd.tallies[model].rows += rows - rows_before
        crowd.tallies[model].runs += runs - runs_before
    return crowd.tallies


def report(tallies: dict[str, Tally], duration: float) -> int:
    """Print the figures; the exit code."""
    head = (
        *("model", "requests", "wrong", "lost", "bad", "of them 4xx", "disconnects"),
        *("mean batch", "p50 ms", "p99 ms"),
    )
    print(table(head, [_cells(model, tally) for model, tally in tallies.items()]))
    for line in [line for tally in tallies.values() for line in tally.mistakes][:20]:
        print(line)
    total = sum(tally.requests for tally in tallies.values())
    wrong = sum(tally.wrong + tally.bad - tally.bad_refused for tally in tallies.values())
    lost = sum(tally.lost for tally in tallies.values())
    runs = max(1.0, sum(tally.runs for tally in tallies.values()))
    mean = sum(tally.rows for tally in tallies.values()) / runs
    print(
        f"{total} requests in {duration:g} s ({total / duration:.0f}/s), "
        f"mean batch {mean:.1f}, {wrong} wrong, {lost} lost"
    )
    return 1 if wrong or lost or not total else 0


def _cells(model: str, tally: Tally) -> list[str]:
    marks = statistics.quantiles(tally.latencies, n=100) if len(tally.latencies) > 1 else [0.0] * 99
    counts = (tally.requests, tally.wrong, tally.lost, tally.bad, tally.bad_refused)
    mean = tally.rows / max(1.0, tally.runs)
    figures = (f"{mean:.1f}", f"{marks[49] * 1000:.1f}", f"{marks[98] * 1000:.1f}")
    return [model, *map(str, counts), str(tally.disconnects), *figures]


def find_or_make_models(arguments: argparse.Namespace, scratch: Path) -> list[ModelFolder]:
    """Those of the repository, else the demo model."""
    if arguments.repository is not None:
        return list(find_models(arguments.repository, arguments.only))
    from gateway.demo import ensure_demo_model

    ensure_demo_model(scratch)
    return list(find_models(scratch))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Ask a server from many clients for a while and compare every answer with "
        f"TensorFlow's. One request in {ONE_BAD_IN} is bad and must get a 4xx, one in "
        f"{ONE_DISCONNECT_IN} is given up. Exit code 1 when an answer is wrong or lost.",
    )
    parser.add_argument(
        "repository", type=folder, nargs="?", help="folder of models; else the demo's"
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=(), metavar="A,B")
    parser.add_argument("--config", type=Path, help="tensorgate.toml with settings of the models")
    parser.add_argument("--inputs", type=folder, help="as for scripts/verify-models")
    parser.add_argument("--seconds", type=seconds(86_400), default=60.0)
    parser.add_argument("--clients", type=count(4096), default=64)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def main(command_line: Sequence[str] | None = None) -> int:
    """The exit code: 1 for wrong or lost answers, 2 when there is nothing to ask."""
    arguments = parse(command_line)
    with tempfile.TemporaryDirectory() as scratch:
        models = find_or_make_models(arguments, Path(scratch))
        plans = [make_plan(model, QUESTIONS, arguments.inputs) for model in models]
        plans = [plan for plan in plans if plan.questions and not plan.stateful]
        if not plans:
            print("no model whose answers could be compared", file=sys.stderr)
            return 2
        tallies = uvloop.run(soak(plans, arguments))
    return report(tallies, arguments.seconds)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BadFile, ServerFailed) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
