"""Open loops: rates from the peak, refusals, goodput, distributions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.loadgen.answers import Sample
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.open import burst_times, due_times, open_loop
from benchmarks.loadgen.record import Record
from benchmarks.open_loop import Series, parse, show
from tests.benchmarks.helpers import http_answer, raw_server, run_module

RIGHT = b'{"predictions":[2.5]}'
REFUSAL = b"HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def test_it_runs_at_shares_of_the_peak(models_dir: Path, tmp_path: Path) -> None:
    report = tmp_path / "open.json"
    done = run_module(
        "benchmarks.open_loop",
        *("--quick", "--server=bare aiohttp", "--model=half_plus_two", "--fractions=0.5,2"),
        *("--rates=100", f"--models-dir={models_dir}", f"--json={report}", f"--hgrm={tmp_path}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "within 50 ms" in done.stdout
    measured = json.loads(report.read_text())["results"]
    assert [one["load"] for one in measured] == [
        *("50% of peak, constant", "50% of peak, poisson"),
        *("200% of peak, constant", "200% of peak, poisson"),
        *("100/s, constant", "100/s, poisson"),
    ]
    half, double = measured[0]["rates"][0], measured[2]["rates"][0]
    assert double == pytest.approx(4 * half)
    assert all(0 <= one["goodput"] <= 1 and not one["errors"] for one in measured)
    assert (tmp_path / "100-s--constant.hgrm").read_text().count("\n") > 5


async def test_refusals_are_counted_and_are_no_errors() -> None:
    async def answer(number: int, _: bytes) -> bytes:
        return (http_answer(RIGHT), REFUSAL, http_answer(b"", "503 No"))[number % 3]

    async with raw_server(answer) as target:
        traffic = Traffic(target, [Sample(b"{}")], may_refuse=True)
        record = await open_loop(traffic, due_times(200, 0.15, "constant"), 1)
    assert (record.answered, record.refused, record.without_retry_after) == (10, 20, 10)
    assert record.errors == 0
    assert len(record.counted_from) == 10


async def test_refusals_are_errors_where_they_were_not_expected() -> None:
    async def answer(number: int, _: bytes) -> bytes:
        return REFUSAL

    async with raw_server(answer) as target:
        traffic = Traffic(target, [Sample(b"{}")])
        record = await open_loop(traffic, due_times(100, 0.05, "constant"), 1)
    assert (record.refused, record.errors) == (0, 5)


def test_goodput_is_of_all_that_was_due() -> None:
    traffic = Traffic.__new__(Traffic)
    record = Record(traffic)  # type: ignore[arg-type]
    record.latencies.extend([0.010, 0.049, 0.051])
    series = Series("x")
    series.add(10.0, record, due=4, slo=0.050)
    assert series.goodput == 0.5
    assert "50.00%" in show([series], 50)


def test_bursts_come_at_once() -> None:
    assert (
        burst_times(100, 0.4, 0.1)
        == [0.0] * 10 + [0.1] * 10 + [0.2] * 10 + [pytest.approx(0.3)] * 10
    )


@pytest.mark.parametrize("flags", ["--fractions=0", "--fractions=11", "--slo-ms=0", "--model=x"])
def test_refused_command_lines(flags: str) -> None:
    with pytest.raises(SystemExit):
        parse([flags])
