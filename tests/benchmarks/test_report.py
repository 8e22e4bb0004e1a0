"""Figures, tables and the description of the machine."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.machine import describe_machine, loop_speed
from benchmarks.report import Spread, ratios, spread, table, write_json


def test_a_spread_has_the_median_between_the_ends() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(1.0, 2.5, 10.0)
    assert spread([3.0, 1.0, 2.0, 10.0]).show(1) == "2.5 (1.0-10.0)"


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([1.0, 4.0], [1.0, 2.0]) == Spread(1.0, 1.5, 2.0)


def test_a_round_without_a_reference_says_nothing() -> None:
    assert ratios([1.0, 4.0], [0.0, 2.0]) == Spread(2.0, 2.0, 2.0)
    assert ratios([1.0], [0.0]).show() == "-"


def test_ratios_need_equal_rounds() -> None:
    with pytest.raises(ValueError):
        ratios([1.0, 2.0], [1.0])


def test_a_table_lines_up() -> None:
    lines = table(("name", "n"), [("a", "10"), ("long name", "5")]).splitlines()
    assert lines == ["name        n", "---------  --", "a          10", "long name   5"]


def test_the_report_is_whole_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    machine = describe_machine(("numpy", "no-such-package"))
    write_json(path, machine, {"rounds": 3}, [{"p50": math.nan}])
    written = json.loads(path.read_text())
    assert list(written["machine"]["versions"]) == ["numpy"]
    assert written["machine"]["cores"] >= 1
    assert written["results"] == [{"p50": None}]
    assert any(line.startswith("commit") for line in machine.lines())


def test_the_loop_speed_is_a_speed() -> None:
    assert 0.1 < loop_speed() < 10_000
