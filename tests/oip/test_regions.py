"""Regions of shared memory: what is opened, read and written, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.errors import Code, ServingError
from gateway.oip import shared_memory
from gateway.oip.messages import SharedMemoryRange
from gateway.oip.shared_memory import MAX_REGIONS, Region, SharedMemory


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes the place of the folder that Linux keeps shared memory in."""
    folder = tmp_path / "objects"
    folder.mkdir()
    monkeypatch.setattr(shared_memory, "FOLDER", folder)
    return folder


def test_what_is_no_memory_is_not_opened(objects: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))
    (objects / "link").symlink_to(secret)
    (objects / "folder").mkdir()
    os.mkfifo(objects / "pipe")
    for key in ("link", "folder", "pipe"):
        with pytest.raises(ServingError, match="Unable to open shared memory region: 'r'"):
            Region("r", key, 0, 1)


def test_an_object_that_was_cut_off(objects: Path) -> None:
    """A mapping would end the process here."""
    memory = objects / "memory"
    memory.write_bytes(bytes(100))
    region = Region("r", "memory", 0, 100)
    os.truncate(memory, 50)
    with pytest.raises(ServingError, match="are not there"):
        region.read(SharedMemoryRange("r", 60), "x")
    with pytest.raises(ServingError, match="are not there"):
        region.write(SharedMemoryRange("r", 60), bytes(60), "x")
    assert memory.stat().st_size == 50
    assert region.read(SharedMemoryRange("r", 50), "x") == bytes(50)


def test_a_region_is_closed_when_nobody_uses_it(objects: Path) -> None:
    (objects / "memory").write_bytes(bytes(8))
    descriptors = set(Path("/proc/self/fd").iterdir())
    memory = SharedMemory(allowed=True)
    memory.add(Region("r", "memory", 0, 8))
    used = memory.find("r")
    memory.remove("")
    assert used.read(SharedMemoryRange("r", 8), "x") == bytes(8)
    del used
    assert set(Path("/proc/self/fd").iterdir()) == descriptors


def test_the_number_of_regions_is_bounded(objects: Path) -> None:
    (objects / "memory").write_bytes(bytes(8))
    memory = SharedMemory(allowed=True)
    region = Region("r", "memory", 0, 8)
    memory._regions = {str(number): region for number in range(MAX_REGIONS)}
    with pytest.raises(ServingError) as caught:
        memory.check_new("r", "memory", 0, 8)
    assert caught.value.code is Code.INVALID_ARGUMENT
