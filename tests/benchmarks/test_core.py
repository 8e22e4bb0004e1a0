"""The core benchmark end to end with tiny counts, and its answer check."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.contenders import BareFuture, Contender, Row, make_contenders, row_of
from benchmarks.core import SWITCH_INTERVAL_SECONDS, WrongAnswer, check, measure
from gateway import server
from tests.benchmarks.helpers import run_module


class Swapped(BareFuture):
    """Gives each client its neighbour's answer, from a certain turn on."""

    def __init__(self, after: int) -> None:
        self._left = after

    async def client(self, number: int, turns: int) -> Row:
        self._left -= 1
        return await super().client(number ^ 1 if self._left < 0 else number, turns)


def test_it_runs(tmp_path: Path) -> None:
    report = tmp_path / "results" / "core.json"
    done = run_module(
        "benchmarks.core",
        *("--clients=1,3", "--rounds=2", "--requests=30", "--device-thread", f"--json={report}"),
    )
    assert done.returncode == 0, done.stderr
    assert "requests/s/core" in done.stdout
    written = json.loads(report.read_text())
    assert written["machine"]["python"].startswith("CPython 3.")
    series = {(one["contender"], one["clients"]): one["rounds"] for one in written["results"]}
    assert len(series) == 16
    for (name, clients), rounds in series.items():
        assert len(rounds) == 2
        assert all(done["cpu"] > 0 and done["wall"] > 0 for done in rounds)
        if name == "Batcher, lists, inline":
            assert {done["mean_batch"] for done in rounds} == {clients}


async def contender(name: str) -> Contender:
    found = {one.name: one for one in make_contenders(4, device_thread=True)}
    chosen = found.pop(name)
    for other in found.values():
        other.close()
    return chosen


@pytest.mark.parametrize(
    "name",
    [
        "bare future",
        "tutorial",
        "Batcher, lists, inline",
        "Batcher, arrays, inline",
        "Batcher, lists, thread",
        "Batcher, arrays, thread",
    ],
)
async def test_every_client_gets_its_own_row_back(name: str) -> None:
    tested = await contender(name)
    await check(tested, 6)
    found = await asyncio.gather(*(tested.client(number, 3) for number in range(6)))
    assert [list(answer) for answer in found] == [row_of(number) for number in range(6)]
    tested.close()


async def test_swapped_answers_are_found_before_timing() -> None:
    with pytest.raises(WrongAnswer, match="client 0"):
        await check(Swapped(after=4), 2)


async def test_swapped_answers_are_found_while_timing() -> None:
    with pytest.raises(WrongAnswer, match="client 0"):
        await measure(Swapped(after=0), 2, 10)


def test_rows_are_exact_in_float32() -> None:
    rows = [row_of(number) for number in range(4096)]
    assert np.array(rows, np.float32).tolist() == rows
    assert len(set(map(tuple, rows))) == len(rows)


def test_threads_take_turns_as_in_the_server() -> None:
    assert server.SWITCH_INTERVAL_SECONDS == SWITCH_INTERVAL_SECONDS


@pytest.mark.parametrize("flag", ["--rounds=0", "--clients=0", "--requests=9999999", "--clients=x"])
def test_counts_are_bounded(flag: str) -> None:
    done = run_module("benchmarks.core", flag)
    assert done.returncode == 2
    assert "is no integer from 1 to" in done.stderr
