"""Versions come, go and break while clients ask: nobody notices. Real server, real models.

How long things take is for the benchmarks to say; here only that no answer is wrong or missing.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from benchmarks import faults, swaps
from benchmarks.lifecycle.export import export_versions
from benchmarks.lifecycle.server import MOVING, STEADY, lifecycle_server

SWAPS = 5


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to ``SWAPS`` + 1."""
    folder = tmp_path_factory.mktemp("exported")
    export_versions(folder, SWAPS + 1, 0.1)
    return folder


def place(exported: Path, folder: Path) -> Path:
    """Serve version 1 as both models; the moving one's base path."""
    for model in (MOVING, STEADY):
        shutil.copytree(exported / "1", folder / model / "1")
    return folder / MOVING


def check_swaps(exported: Path, folder: Path, *, number: int, connections: int) -> None:
    served = place(exported, folder)
    staged = Path(shutil.copytree(exported, folder / "staged"))
    flags = [f"--swaps={number}", f"--connections={connections}", "--rate=50"]
    options = swaps.parse(flags)
    with lifecycle_server(folder, 0.1) as server:
        result = asyncio.run(swaps.swap_under_load(server, staged, served, options))
    assert result.faults == {}
    assert result.versions_seen == number + 1
    assert (result.before.errors, result.meanwhile.errors) == (0, 0)


def test_swaps(exported: Path, tmp_path: Path) -> None:
    check_swaps(exported, tmp_path, number=SWAPS, connections=16)


def test_one_model_s_faults(exported: Path, tmp_path: Path) -> None:
    served = place(exported, tmp_path)
    options = faults.parse(["--rounds=1", "--seconds=0.5", "--rate=100"])
    with lifecycle_server(tmp_path, 0.1) as server:
        stretches, noticed = asyncio.run(faults.run(server, served, exported / "1", options))
    assert noticed == {}
    assert [stretch.fault for stretch in stretches] == list(faults.FAULTS)
    assert sum(s.before.errors + s.meanwhile.errors for s in stretches) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_swaps(tmp_path: Path) -> None:
    exported = tmp_path / "exported"
    export_versions(exported, 101, 4.0)
    check_swaps(exported, tmp_path, number=100, connections=64)
