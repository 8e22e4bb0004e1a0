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
from benchmarks.correctness.repository import ModelFolder, find_models
from benchmarks.correctness.serving import ServerFailed, client_of, running
from benchmarks.report import table

QUESTIONS = 64
"""For each signature."""


async def soak(
    plans: Sequence[Plan], arguments: argparse.Namespace
) -> tuple[dict[str, Tally], dict[str, float]]:
    """Tallies and mean rows of a batch, by model."""
    cases = [case for plan in plans for case in make_cases(plan)]
    models = [plan.model for plan in plans]
    async with (
        running(models, arguments.config) as server,
        client_of(server.url, arguments.clients) as client,
    ):
        crowd = Crowd(client, cases, arguments.seed)
        before = _by_model(await client.batch_rows())
        await crowd.run(arguments.clients, arguments.seconds)
        after = _by_model(await client.batch_rows())
    means = {}
    for model, (rows, runs) in after.items():
        rows_before, runs_before = before.get(model, (0.0, 0.0))
        means[model] = (rows - rows_before) / max(1.0, runs - runs_before)
    return crowd.tallies, means


def _by_model(
    batch_rows: dict[tuple[str, str], tuple[float, float]],
) -> dict[str, tuple[float, float]]:
    sums: dict[str, tuple[float, float]] = {}
    for (model, _), (rows, runs) in batch_rows.items():
        total_rows, total_runs = sums.get(model, (0.0, 0.0))
        sums[model] = (total_rows + rows, total_runs + runs)
    return sums


def report(tallies: dict[str, Tally], means: dict[str, float], duration: float) -> int:
    """Print the figures; the exit code."""
    head = (
        *("model", "requests", "wrong", "lost", "bad", "of them 4xx", "disconnects"),
        *("mean batch", "p50 ms", "p99 ms"),
    )
    print(table(head, [_cells(m, tally, means.get(m, 0.0)) for m, tally in tallies.items()]))
    for line in [line for tally in tallies.values() for line in tally.mistakes][:20]:
        print(line)
    total = sum(tally.requests for tally in tallies.values())
    wrong = sum(tally.wrong + tally.bad - tally.bad_refused for tally in tallies.values())
    lost = sum(tally.lost for tally in tallies.values())
    print(
        f"{total} requests in {duration:g} s ({total / duration:.0f}/s), {wrong} wrong, {lost} lost"
    )
    return 1 if wrong or lost or not total else 0


def _cells(model: str, tally: Tally, mean: float) -> list[str]:
    marks = statistics.quantiles(tally.latencies, n=100) if len(tally.latencies) > 1 else [0.0] * 99
    counts = (tally.requests, tally.wrong, tally.lost, tally.bad, tally.bad_refused)
    figures = (f"{mean:.1f}", f"{marks[49] * 1000:.1f}", f"{marks[98] * 1000:.1f}")
    return [model, *map(str, counts), str(tally.disconnects), *figures]


def find_or_make_models(arguments: argparse.Namespace, folder: Path) -> list[ModelFolder]:
    """Those of the repository, else the demo model."""
    if arguments.repository is not None:
        return list(find_models(arguments.repository, arguments.only))
    from gateway.demo import ensure_demo_model

    ensure_demo_model(folder)
    return list(find_models(folder))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Ask a server from many clients for a while and compare every answer with "
        f"TensorFlow's. One request in {ONE_BAD_IN} is bad and must get a 4xx, one in "
        f"{ONE_DISCONNECT_IN} is given up. Exit code 1 when an answer is wrong or lost.",
    )
    parser.add_argument(
        "repository", type=Path, nargs="?", help="folder of models; else the demo's"
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=(), metavar="A,B")
    parser.add_argument("--config", type=Path, help="tensorgate.toml with settings of the models")
    parser.add_argument("--inputs", type=Path, help="as for scripts/verify-models")
    parser.add_argument("--seconds", type=seconds(86_400), default=60.0)
    parser.add_argument("--clients", type=count(4096), default=64)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        models = find_or_make_models(arguments, Path(folder))
        plans = [make_plan(model, QUESTIONS, arguments.inputs) for model in models]
        plans = [plan for plan in plans if plan.questions and not plan.stateful]
        if not plans:
            print("no model whose answers could be compared", file=sys.stderr)
            return 2
        try:
            tallies, means = uvloop.run(soak(plans, arguments))
        except ServerFailed as error:
            print(error, file=sys.stderr)
            return 1
    return report(tallies, means, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
