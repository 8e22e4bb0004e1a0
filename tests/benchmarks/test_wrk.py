"""wrk as a load generator: its output is read right, and it is really run where it is installed."""

from __future__ import annotations

import math

import pytest

from benchmarks.http_sides import side_of
from benchmarks.loadgen import wrk
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.target import target_of
from benchmarks.loadgen.wrk import WrkFailed, parse_output, wrk_loop, wrk_path
from benchmarks.servers import DEMO_PATH, bare_server
from benchmarks.settings import Closed, generator_of
from tests.benchmarks.helpers import faulty_server

OUTPUT = """Running 1s test @ http://127.0.0.1:1/
JSON {"requests": 1000, "microseconds": 2000000, "bytes": 9, "connect": 0, "read": 2, "write": 0, \
"status": 100, "timeout": 0, "p50": 500.0, "p90": 900.0, "p99": 990.0, "p99_9": 999.0, "max": 1.0}
"""
needs_wrk = pytest.mark.skipif(wrk_path() is None, reason="wrk is not installed")


def test_its_figures_are_read() -> None:
    record = parse_output(OUTPUT, server_cpu=1.5, client_cpu=0.5)
    assert record.answered == 900
    assert record.errors == 102
    assert record.faults == {"read": 2, "status": 100}
    assert record.requests_per_second == 450
    assert record.latency(0.99) == pytest.approx(0.00099)
    assert math.isnan(record.latency(0.42))
    assert record.server_cpu_per_request == pytest.approx(0.0015)
    assert record.client_busy == 0.25


def test_output_without_figures_is_said() -> None:
    with pytest.raises(WrkFailed, match="no figures"):
        parse_output("Running 1s test", 0, 0)


@needs_wrk
async def test_it_asks_all_samples_in_turn() -> None:
    with bare_server() as server:
        record = await wrk_loop(side_of(server).traffic, 4, 0.1)
    assert record.errors == 0
    assert record.answered > 16
    assert 0 < record.latency(0.5) <= record.latency(0.999)
    assert 0 < record.server_cpu_per_request < 0.01
    assert record.client_busy > 0


@needs_wrk
async def test_wrong_statuses_are_errors() -> None:
    with faulty_server(right=10, status=503) as server:
        record = await Closed(2, "wrk").run(side_of(server).traffic, 0.1)
    assert record.answered == 10
    assert record.faults["status"] == record.errors > 0


@needs_wrk
async def test_a_server_that_is_not_there_is_said() -> None:
    with bare_server() as server:
        traffic = Traffic(target_of(server.url + DEMO_PATH), [])
    with pytest.raises(WrkFailed, match="unable to connect"):
        await wrk_loop(traffic, 1, 0.1)


def test_the_own_generator_stands_in_for_wrk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk.shutil, "which", lambda _: None)
    assert generator_of("auto") == generator_of("own") == "own"
    with pytest.raises(ValueError, match="not installed"):
        generator_of("wrk")
    monkeypatch.setattr(wrk.shutil, "which", lambda _: "/usr/bin/wrk")
    assert generator_of("auto") == generator_of("wrk") == "wrk"
