"""How many cores are used, by affinity and quota. Control groups are made of ordinary files."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from gateway import cores
from gateway.cores import cpu_quota, usable_cores


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "nonsense\n"}, math.inf),
        ("0::/\n", {"cpu.max": "100000 0\n"}, math.inf),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000", "a/cpu.max": "300000 100000"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "200000 100000", "a/cpu.max": "max 100000"}, 2),
        ("0::/not/mounted\n", {"cpu.max": "200000 100000"}, 2),
        (
            "3:cpuset:/\n1:cpu,cpuacct:/a\n0::/\n",
            {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
            2.5,
        ),
        (
            "1:cpu:/outside\n",
            {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        (
            "1:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ("3:cpuset:/a\n", {"cpuset/a/cpu.max": "100000 100000"}, math.inf),
    ],
)
def test_the_quota_is_the_least_of_the_groups(
    tmp_path: Path, own: str, files: dict[str, str], quota: float
) -> None:
    groups = make(tmp_path, {"own": own}) / "own"
    assert cpu_quota(make(tmp_path / "mount", files), groups) == quota


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "missing") == math.inf


@pytest.mark.parametrize(
    ("affinity", "quota", "expected"),
    [
        (1, math.inf, 1),
        (2, math.inf, 2),
        (16, math.inf, 16),
        (16, 4, 4),
        (16, 2.9, 2),
        (2, 8, 2),
        (4, 0.5, 1),
    ],
)
def test_only_whole_cores_of_a_quota_are_used(
    monkeypatch: pytest.MonkeyPatch, affinity: int, quota: float, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)))
    monkeypatch.setattr(cores, "cpu_quota", lambda: quota)
    assert usable_cores() == expected
