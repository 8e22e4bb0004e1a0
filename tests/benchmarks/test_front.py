"""The front benchmark end to end with tiny counts, and its answer check."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks.front import loads, request_of
from benchmarks.fronts import EchoProtocol
from benchmarks.mock_transport import Load, WrongAnswer
from tests.benchmarks.helpers import run_module


def test_it_runs(tmp_path: Path) -> None:
    report = tmp_path / "front.json"
    flags = ("--clients=1,3", "--values=2", "--rounds=2", "--requests=30", f"--json={report}")
    done = run_module("benchmarks.front", *flags)
    assert done.returncode == 0, done.stderr
    written = json.loads(report.read_text())["results"]
    assert {one["clients"] for one in written} == {1, 3}
    assert {one["server"] for one in written} >= {"hot path", "hot path off", "bare Application"}
    assert all(len(one["rounds"]) == 2 and min(one["rounds"]) > 0 for one in written)


async def test_every_server_answers_every_request() -> None:
    async with loads(4, 3) as made:
        for load in made.values():
            await load.run(10)


async def test_a_wrong_answer_ends_it() -> None:
    request, answer = request_of(2)
    load = Load(lambda: EchoProtocol(b"x" + answer[1:] + b"!"), request, answer, 2)
    with pytest.raises(WrongAnswer):
        async with asyncio.timeout(5):
            await load.run(10)
