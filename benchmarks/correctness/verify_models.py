"""Serve every model of a folder and compare all its answers with TensorFlow's in this process.

``scripts/verify-models --help``
"""

from __future__ import annotations

import argparse
import asyncio
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.arguments import count
from benchmarks.correctness.answers import TOLERANCE, difference, read_answer
from benchmarks.correctness.plan import Plan, make_plan
from benchmarks.correctness.questions import BadFile
from benchmarks.correctness.repository import find_models, folder
from benchmarks.correctness.serving import (
    Answer,
    Client,
    Server,
    ServerFailed,
    client_of,
    running,
)
from benchmarks.report import table

CONNECTIONS = 64
MOST_MISTAKES = 20
"""So many are described."""
_HEAD = (
    "model",
    "signature",
    "requests",
    "refused",
    "batched",
    "mean batch",
    "max diff",
    "verdict",
)


@dataclass(slots=True)
class Row:
    """One signature's result."""

    model: str
    signature: str
    requests: int = 0
    refused: int = 0
    """Requests that both TensorFlow and the server refuse."""
    alone_because: str = ""
    mean_batch: float = math.nan
    """Requests that shared a run."""
    difference: float = math.nan
    verdict: str = "ok"
    mistakes: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.mistakes)

    def cells(self) -> tuple[str, ...]:
        mean = "-" if math.isnan(self.mean_batch) else f"{self.mean_batch:.1f}"
        apart = "-" if math.isnan(self.difference) else f"{self.difference:.1e}"
        verdict = "MISMATCH" if self.failed else self.verdict
        batched = "-" if not self.requests else "no" if self.alone_because else "yes"
        numbers = (str(self.requests), str(self.refused), batched, mean, apart)
        return (self.model, self.signature, *numbers, verdict)

    def judge(self, plan: Plan, number: int, answer: Answer, phase: str) -> None:
        """Compare the answer to question ``number``."""
        mistake = self._mistake(plan, number, answer)
        if mistake:
            self.mistakes.append(f"{self.model} {self.signature} #{number}, {phase}: {mistake}")

    def _mistake(self, plan: Plan, number: int, answer: Answer) -> str:
        expected = plan.expected[number]
        said = f"{answer.status} {answer.body[:200].decode(errors='replace')}"
        if expected is None:
            return f"TensorFlow refuses it, the server says {said}" if answer.status == 200 else ""
        if answer.status != 200:
            return f"TensorFlow answers it, the server says {said}"
        apart = difference(read_answer(plan.questions[number], answer.body), expected)
        self.difference = max(apart, 0.0 if math.isnan(self.difference) else self.difference)
        return f"differs by {apart:.2e}" if apart > TOLERANCE else ""


async def check_model(plan: Plan, server: Server, client: Client) -> list[Row]:
    """Ask everything one at a time and, where that has a right answer, all at once."""
    name = plan.model.name
    label = f"{name} v{plan.model.version}"
    rows = {q.signature.name: Row(label, q.signature.name) for q in plan.questions}
    await _ask_in_order(plan, client, rows)
    alone_because = server.alone_because()
    for signature, row in rows.items():
        numbers = plan.of_signature(signature)
        row.requests = len(numbers)
        row.refused = sum(plan.expected[number] is None for number in numbers)
        row.alone_because = alone_because.get((name, signature), "")
        if not plan.questions[numbers[0]].signature.inputs:
            row.alone_because = "it has no inputs"
        if plan.stateful:
            row.verdict = "ok, in order only (stateful)"
            continue
        row.mean_batch = await _ask_at_once(plan, client, row, numbers)
        if row.refused == row.requests:
            row.verdict = "refused by both"
    skipped = [Row(label, s, verdict=f"skipped: {why}") for s, why in plan.skipped.items()]
    return [*rows.values(), *skipped]


async def _ask_in_order(plan: Plan, client: Client, rows: dict[str, Row]) -> None:
    for number, question in enumerate(plan.questions):
        answer = await client.predict(plan.model.name, question.body())
        rows[question.signature.name].judge(plan, number, answer, "alone")


async def _ask_at_once(plan: Plan, client: Client, row: Row, numbers: Sequence[int]) -> float:
    """The mean number of requests in a run."""
    key = (plan.model.name, row.signature)
    _, runs_before = (await client.batch_rows())[key]
    bodies = [plan.questions[number].body() for number in numbers]
    answers = await asyncio.gather(*[client.predict(plan.model.name, body) for body in bodies])
    for number, answer in zip(numbers, answers, strict=True):
        row.judge(plan, number, answer, "at once")
    _, runs = (await client.batch_rows())[key]
    return len(numbers) / max(1.0, runs - runs_before)


async def verify(plans: Sequence[Plan], config: Path | None) -> list[Row]:
    """Serve the models of all plans by one process and check them one after the other."""
    results: list[Row] = []
    models = [plan.model for plan in plans]
    flags = ("--rest_api_timeout_in_ms=600000",)
    async with (
        running(models, config, flags) as server,
        client_of(server.url, CONNECTIONS) as client,
    ):
        problems = await client.problems()
        for plan in plans:
            problem = problems.get(plan.model.name)
            if problem and plan.questions:
                label = f"{plan.model.name} v{plan.model.version}"
                results.append(Row(label, "-", mistakes=[f"{label} is not served: {problem}"]))
            else:
                results += await check_model(plan, server, client)
                show_progress(f"{plan.model.name}: compared")
    return results


def make_plans(arguments: argparse.Namespace) -> list[Plan]:
    plans = []
    for model in find_models(arguments.repository, arguments.only):
        plan = make_plan(model, arguments.requests, arguments.inputs)
        if plan.random:
            plan.skipped.update(
                {q.signature.name: "its answers are random" for q in plan.questions}
            )
            plan.questions, plan.expected = [], []
        plans.append(plan)
        show_progress(f"{model.name}: {len(plan.questions)} requests")
    return plans


def show_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/verify-models",
        description="Serve the SavedModels of a folder and compare every answer, one at a time and "
        f"{CONNECTIONS} at once, with TensorFlow running the same request alone in this process. "
        f"Floats may differ by {TOLERANCE:g} of the output's greatest magnitude, everything else "
        "not at all. Models with state are asked in order only. Exit code 1 on any mismatch.",
    )
    parser.add_argument("repository", type=folder, help="folder of MODEL/VERSION folders")
    parser.add_argument("--only", type=lambda text: text.split(","), default=(), metavar="A,B")
    parser.add_argument("--config", type=Path, help="tensorgate.toml with settings of the models")
    parser.add_argument("--requests", type=count(10_000), default=64, help="for each signature")
    parser.add_argument(
        "--inputs",
        type=folder,
        help='folder of MODEL.json files: lists of {"signature_name": S, "inputs": {...}}; '
        "requests of other models and signatures are invented",
    )
    return parser.parse_args(arguments)


def main(command_line: Sequence[str] | None = None) -> int:
    """The exit code: 1 on a mismatch, 2 when there is nothing to check."""
    arguments = parse(command_line)
    plans = make_plans(arguments)
    if not plans:
        show_progress("no SavedModel there")
        return 2
    rows = asyncio.run(verify(plans, arguments.config))
    return report(rows)


def report(rows: Sequence[Row]) -> int:
    """Print it; the exit code."""
    print(table(_HEAD, [row.cells() for row in rows]))
    for row in rows:
        if row.alone_because:
            print(f"not batched: {row.model} {row.signature}: {row.alone_because}")
    mistakes = [mistake for row in rows for mistake in row.mistakes]
    for mistake in mistakes[:MOST_MISTAKES]:
        print(mistake)
    failed = sum(row.failed for row in rows)
    print(f"{len(rows)} signatures, {failed} with mismatches; tolerance {TOLERANCE:g}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BadFile, ServerFailed) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
