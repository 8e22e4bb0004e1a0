"""The figures of models: the command, and what a probe's files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.probing import NothingSeen, summary
from tests.benchmarks.helpers import run_module


@pytest.mark.slow
def test_the_command_measures_all_parts(models_dir: Path, tmp_path: Path) -> None:
    report = tmp_path / "models.json"
    done = run_module(
        "benchmarks.models",
        *("--quick", "--models=mlp", f"--models-dir={models_dir}", f"--json={report}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = json.loads(report.read_text())["results"]
    (throughput,), (lone,) = found["throughput"], found["lone"]
    for name in ("signature", "session", "json", "binary"):
        assert min(throughput[name].values()) > 0
    assert 0 < lone["gateway_p50"] <= lone["gateway_p99"]
    assert [one["body"] for one in found["loop"]] == ["JSON", "binary"]
    for one in found["loop"]:
        assert 0 <= one["seen"]["lag_p50"] <= one["seen"]["lag_p99"] <= one["seen"]["lag_max"]


def test_the_latest_loop_and_the_longest_pauses_count() -> None:
    found = summary(
        [
            {"lags": [], "pauses": {"2": 0.5}},
            {"lags": [0.001] * 100, "pauses": {"0": 0.9}},
            {"lags": [0.002] * 50 + [0.003] * 50, "pauses": {}},
        ]
    )
    assert (found.lag_p50, found.lag_p99) == (0.002, 0.003)
    assert (found.full_pause, found.pause) == (0.5, 0.9)


def test_a_server_that_told_nothing_is_no_result() -> None:
    with pytest.raises(NothingSeen):
        summary([{"lags": [], "pauses": {}}])
