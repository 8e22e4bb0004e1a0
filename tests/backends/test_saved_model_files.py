"""Complete and incomplete version folders, told apart by their files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.backends.saved_model_files import (
    MANIFEST,
    has_variables,
    missing_files,
    verify_manifest,
)
from gateway.errors import Code, ServingError

INDEX = "variables/variables.index"


def shard(number: int, of: int) -> str:
    return f"variables/variables.data-{number:05}-of-{of:05}"


def make(folder: Path, files: Sequence[str]) -> None:
    for name in files:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ([], "saved_model.pb is missing"),
        (["variables/variables.index"], "saved_model.pb is missing"),
        (["saved_model.pb"], ""),
        (["saved_model.pbtxt"], ""),
        (["saved_model.pb", INDEX, shard(0, 1)], ""),
        (["saved_model.pb", INDEX, shard(0, 2), shard(1, 2)], ""),
        (["saved_model.pb", INDEX, shard(1, 2)], f"{shard(0, 2)} is missing"),
        (["saved_model.pb", INDEX, shard(0, 3), shard(2, 3)], f"{shard(1, 3)} is missing"),
        (["saved_model.pb", INDEX, shard(0, 1), shard(0, 2)], ""),
        (["saved_model.pb", INDEX], "the data files of variables are missing"),
        (["saved_model.pb", shard(0, 1)], f"{INDEX} is missing"),
        (["saved_model.pb", "variables/other"], ""),
    ],
)
def test_what_is_missing(tmp_path: Path, files: list[str], missing: str) -> None:
    make(tmp_path, files)
    assert missing_files(tmp_path) == missing
    assert has_variables(tmp_path) is (INDEX in files)


@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt", INDEX])
def test_files_that_are_still_empty(tmp_path: Path, name: str) -> None:
    make(tmp_path, [name, shard(0, 1)] if name != INDEX else ["saved_model.pb", INDEX])
    (tmp_path / name).write_bytes(b"")
    assert missing_files(tmp_path) == f"{name} is empty"


def test_an_empty_data_file_is_for_tensorflow_to_judge(tmp_path: Path) -> None:
    make(tmp_path, ["saved_model.pb", INDEX, shard(0, 1)])
    (tmp_path / shard(0, 1)).write_bytes(b"")
    assert missing_files(tmp_path) == ""


def test_a_folder_that_is_gone_or_no_folder(tmp_path: Path) -> None:
    assert missing_files(tmp_path / "gone") == "saved_model.pb is missing"
    (tmp_path / "file").touch()
    assert missing_files(tmp_path / "file") == "saved_model.pb is missing"


def checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_manifest_that_matches(tmp_path: Path) -> None:
    verify_manifest(tmp_path)  # none is no fault
    make(tmp_path, ["saved_model.pb", INDEX])
    lines = [f"{checksum('x')}  saved_model.pb", f"{checksum('x').upper()} *./{INDEX}"]
    (tmp_path / MANIFEST).write_text("\n".join(lines) + "\n")
    verify_manifest(tmp_path)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (f"{checksum('y')}  saved_model.pb", "saved_model.pb differs"),
        (f"{checksum('x')}  assets/a b.txt", "assets/a b.txt is missing"),
        (f"{checksum('x')}  variables", "variables is missing"),
        (f"{checksum('x')[1:]}  saved_model.pb", "line 1 is no checksum and relative path"),
        ("saved_model.pb", "line 1 is no checksum and relative path"),
        ("", "line 1 is no checksum and relative path"),
        (f"{checksum('x')}  /etc/hostname", "line 1 is no checksum and relative path"),
        (f"{checksum('x')}  ../1/saved_model.pb", "line 1 is no checksum and relative path"),
    ],
)
def test_a_manifest_that_does_not(tmp_path: Path, line: str, fault: str) -> None:
    make(tmp_path, ["saved_model.pb", INDEX])
    (tmp_path / MANIFEST).write_text(line + "\n")
    with pytest.raises(ServingError) as caught:
        verify_manifest(tmp_path)
    assert (caught.value.code, caught.value.message) == (Code.DATA_LOSS, f"{MANIFEST}: {fault}")
