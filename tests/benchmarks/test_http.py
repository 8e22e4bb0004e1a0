"""The HTTP benchmark end to end with tiny counts, and its answer check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.comparison import WrongAnswers, check, measure_setting
from benchmarks.http import parse, settings_of
from benchmarks.http_report import show_measurements, show_ratios
from benchmarks.http_sides import side_of
from benchmarks.loadgen.server import free_port
from benchmarks.servers import DEMO_PATH, bare_server
from benchmarks.settings import Closed, Open, generator_of
from tests.benchmarks.helpers import faulty_server, run_module

BY = generator_of("auto")
TINY = ("--seconds=0.2", "--rounds=2", "--connections=2", "--rates=50")
CHECKED = 800
"""Requests of the check before timing, beside one of each sample."""


@pytest.fixture
def one_body(tmp_path: Path) -> Path:
    """A file with a request to the demo model."""
    file = tmp_path / "body.json"
    file.write_text('{"instances": [1.0]}')
    return file


@pytest.mark.slow
def test_it_compares_the_demo_server_with_the_bare_one(tmp_path: Path) -> None:
    report = tmp_path / "http.json"
    done = run_module(
        "benchmarks.http", *TINY, f"--demo-dir={tmp_path}", "--arrivals=poisson", f"--json={report}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gateway / bare" in done.stdout
    measured = json.loads(report.read_text())["results"]
    order = [(one["load"], one["round"], one["server"]) for one in measured]
    loads = ("closed, 2 at once", "open, 50/s poisson")
    turns = ((0, "gateway"), (0, "bare"), (1, "bare"), (1, "gateway"))
    assert order == [(load, *turn) for load in loads for turn in turns]
    for one in measured:
        assert one["errors"] == 0
        assert one["requests"] == 10 or one["load"].startswith("closed")
        assert 0 < one["p50_ms"] <= one["p99_ms"]


def test_it_drives_a_running_server(one_body: Path) -> None:
    with bare_server() as server:
        where = (f"--model-url={server.url}{DEMO_PATH}", f"--body={one_body}")
        done = run_module("benchmarks.http", *TINY, *where, f"--pid={server.pid}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n0 errors in " in done.stdout


async def test_servers_are_measured_in_turn() -> None:
    with bare_server() as server:
        sides = [side_of(server), side_of(server)]
        for side in sides:
            await check(side)
        measured = await measure_setting(sides[:1], Closed(2), rounds=3, seconds=0.05)
        measured += await measure_setting(sides[:1], Open(200, "constant"), rounds=1, seconds=0.05)
    assert [one.round for one in measured] == [0, 1, 2, 0]
    assert measured[-1].requests == 10
    assert "closed, 2 at once" in show_measurements(measured[:3])
    assert "1.00 (1.00-1.00)" in show_ratios(measured, "bare", "bare")


async def test_wrong_answers_are_found_before_timing() -> None:
    with faulty_server(right=100) as server, pytest.raises(WrongAnswers, match="faulty: wrong: "):
        await check(side_of(server))


async def test_wrong_answers_are_counted_while_timing() -> None:
    with faulty_server(right=16 + CHECKED) as server:
        side = side_of(server)
        await check(side)
        (measured,) = await measure_setting([side], Closed(1), rounds=1, seconds=0.1)
    assert measured.requests == 0
    assert measured.errors > 0
    assert all(fault.startswith("wrong: ") for fault in measured.faults)


@pytest.mark.slow
def test_errors_while_timing_fail_the_run(one_body: Path) -> None:
    with faulty_server(right=1 + CHECKED, status=503) as server:
        where = (f"--model-url={server.url}{DEMO_PATH}", f"--body={one_body}")
        done = run_module("benchmarks.http", *TINY, *where)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "\n0 errors" not in done.stdout


def test_a_server_that_refuses_the_body_is_not_measured(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text('{"wrong": 1}')
    with bare_server() as server:
        where = f"--model-url={server.url}{DEMO_PATH}"
        done = run_module("benchmarks.http", *TINY, where, f"--body={body}")
    assert done.returncode == 2
    assert "server: status 500" in done.stderr


def test_no_server_is_said_plainly(one_body: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}{DEMO_PATH}"
    done = run_module("benchmarks.http", *TINY, f"--model-url={url}", f"--body={one_body}")
    assert done.returncode == 2
    assert done.stderr.startswith("benchmarks.http: ")
    assert "Traceback" not in done.stderr


def test_the_command_line_makes_the_settings() -> None:
    options = parse(["--connections=1,16", "--rates=500"])
    assert settings_of(options) == [Closed(1, BY), Closed(16, BY), Open(500, "constant")]


@pytest.mark.parametrize(
    "flags",
    [
        ["--connections=", "--rates="],
        ["--model-url=http://127.0.0.1/"],
        ["--seconds=61"],
        ["--seconds=nan"],
        ["--rounds=0"],
        ["--rates=100001"],
    ],
)
def test_refused_command_lines(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
    assert "error: " in capsys.readouterr().err
