"""Overload scenarios: their pass lines, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.comparison import Side
from benchmarks.loadgen.answers import Sample
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.target import Target
from benchmarks.overload_scenarios import SCENARIOS, Conditions, Line, Outcome
from tests.benchmarks.helpers import http_answer, raw_server, run_module

REFUSAL = b"HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def conditions(target: Target, peak: float) -> Conditions:
    traffic = Traffic(target, [Sample(b"{}")], may_refuse=True)
    return Conditions(
        Side("here", traffic),
        peak,
        slo=1.0,
        seconds=0.2,
        connections=8,
        resident=lambda: 100.0,
    )


def verdicts(outcome: Outcome) -> dict[str, bool]:
    return {line.name: line.passed for line in outcome.lines}


async def test_a_server_that_answers_all_passes() -> None:
    async def answer(number: int, _: bytes) -> bytes:
        return http_answer(b'{"predictions":[1]}')

    async with raw_server(answer) as target:
        for name in ("2x", "5x", "bursts", "stampede-256"):
            outcome = await SCENARIOS[name](conditions(target, peak=50))
            assert all(verdicts(outcome).values()), outcome
            assert outcome.errors == 0


async def test_a_server_that_refuses_all_without_a_word_fails() -> None:
    async def answer(number: int, _: bytes) -> bytes:
        return http_answer(b"", "503 No")

    async with raw_server(answer) as target:
        outcome = await SCENARIOS["2x"](conditions(target, peak=50))
    assert outcome.refused == 20
    failed = verdicts(outcome)
    assert not failed["goodput by the peak"]
    assert not failed["refusals without Retry-After"]


async def test_recovery_looks_at_what_came_late_enough() -> None:
    async def answer(number: int, _: bytes) -> bytes:
        # 5 x 50/s for 0.1 s are 25 requests.
        return REFUSAL if number < 25 else http_answer(b'{"predictions":[1]}')

    async with raw_server(answer) as target:
        outcome = await SCENARIOS["recovery"](conditions(target, peak=50))
    assert outcome.refused == 25
    assert verdicts(outcome) == {"p99 ms 2 s after the overload": True}


def test_lines_are_bounds_of_either_kind() -> None:
    assert Line("x", 2, 1, least=True).passed
    assert not Line("x", 2, 1, least=False).passed
    assert "at most 1" in Line("x", 2, 1, least=False).show()


@pytest.mark.slow
def test_the_command_runs(models_dir: Path, tmp_path: Path) -> None:
    report = tmp_path / "overload.json"
    done = run_module(
        "benchmarks.overload",
        *("--quick", "--scenarios=2x,bursts", "--slo-ms=500", "--model=cnn"),
        *(f"--models-dir={models_dir}", f"--json={report}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--queue_budget_ms=300" in done.stdout
    outcomes = json.loads(report.read_text())["results"]
    assert [one["scenario"] for one in outcomes] == ["2x paced", "2x in bursts"]
