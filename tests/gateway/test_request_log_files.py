"""The file below the request log: rotation, full disks, crashes."""

from __future__ import annotations

import os
import resource
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.request_log.json_lines import intact_lines
from gateway.request_log.rotating_file import RotatingFile


def intact_anything(descriptor: int, size: int) -> int | None:
    return size


@contextmanager
def file_at(
    path: Path, *, max_bytes: int = 1000, max_files: int = 3, lines: bool = False
) -> Iterator[RotatingFile]:
    intact = intact_lines if lines else intact_anything
    file = RotatingFile(path, intact, max_bytes, max_files)
    try:
        yield file
    finally:
        file.close()


def append(file: RotatingFile, *records: bytes) -> None:
    waiting = deque(records)
    file.append(waiting)
    assert not waiting


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel writes no file beyond ``size``: short writes, then an error, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def contents(path: Path) -> dict[str, bytes]:
    """All files beside ``path``, by name."""
    return {file.name: file.read_bytes() for file in sorted(path.parent.iterdir())}


def test_records_are_appended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old ")
    with file_at(path) as file:
        append(file, b"a", b"b")
        append(file, b"c")
        assert contents(path) == {"log": b"old abc"}


def test_the_file_is_private_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "log"
    with file_at(path) as file:
        append(file, b"a")
    assert path.stat().st_mode & 0o777 == 0o600


def test_rotation_keeps_so_many_files(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with file_at(path, max_bytes=4, max_files=3) as file:
        append(file, b"aa", b"bb", b"cc", b"dd", b"ee", b"ff", b"gg")
        assert contents(path) == {"log": b"gg", "log.1": b"eeff", "log.2": b"ccdd"}


def test_rotation_without_older_files(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with file_at(path, max_bytes=4, max_files=1) as file:
        append(file, b"aaa", b"bbb")
        assert contents(path) == {"log": b"bbb"}


def test_a_record_larger_than_a_file_has_one_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with file_at(path, max_bytes=4) as file:
        append(file, b"a", b"b" * 9, b"c")
        assert contents(path) == {"log": b"c", "log.1": b"b" * 9, "log.2": b"a"}


@given(
    lots=st.lists(st.lists(st.integers(1, 12), max_size=6), max_size=6),
    max_bytes=st.integers(1, 20),
    max_files=st.integers(1, 4),
)
def test_every_file_has_whole_records_and_the_newest(
    tmp_path_factory: pytest.TempPathFactory,
    lots: list[list[int]],
    max_bytes: int,
    max_files: int,
) -> None:
    path = tmp_path_factory.mktemp("rotated") / "log"
    numbers = iter(range(1000))
    written: list[bytes] = []
    with file_at(path, max_bytes=max_bytes, max_files=max_files) as file:
        for lengths in lots:
            records = [b"%03d" % next(numbers) + b"." * length for length in lengths]
            append(file, *records)
            written += records
    names = ["log", *(f"log.{number}" for number in range(1, max_files))]
    files = contents(path)
    assert files.keys() <= set(names)
    kept = b"".join(files.get(name, b"") for name in reversed(names))
    assert b"".join(written).endswith(kept)
    assert bool(kept) is bool(written)
    for content in files.values():
        assert content[:3].isdigit()
        assert len(content) <= max_bytes or sum(map(content.count, written)) == 1


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with file_at(path) as file:
        append(file, b"a")
        path.rename(tmp_path / "moved")
        append(file, b"b")
        path.unlink()
        append(file, b"c")
        assert contents(path) == {"log": b"c", "moved": b"a"}


def test_a_full_disk_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with file_at(path) as file:
        append(file, b"first\n")
        waiting = deque([b"second\n", b"third\n", b"fourth\n"])
        with largest_file(6 + 7 + 3), pytest.raises(OSError, match="File too large"):
            file.append(waiting)
        assert waiting == deque([b"third\n", b"fourth\n"])
        assert contents(path) == {"log": b"first\nsecond\n"}
        file.append(waiting)
        assert contents(path) == {"log": b"first\nsecond\nthird\nfourth\n"}


def test_what_could_not_be_cut_off_is_cut_off_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"

    def broken(descriptor: int, size: int) -> None:
        raise OSError("broken")

    with file_at(path, lines=True) as file:
        append(file, b'{"time":"1"}\n')
        with monkeypatch.context() as patch, largest_file(20):
            patch.setattr(os, "ftruncate", broken)
            with pytest.raises(OSError, match="File too large"):
                file.append(deque([b'{"time":"2"}\n']))
        assert path.stat().st_size == 20
        append(file, b'{"time":"3"}\n')
        assert contents(path) == {"log": b'{"time":"1"}\n{"time":"3"}\n'}


def test_a_rotation_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError("no")

    with file_at(path, max_bytes=4) as file:
        append(file, b"aaa")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            with pytest.raises(PermissionError):
                file.append(deque([b"bbb"]))
        append(file, b"ccc")
        assert contents(path) == {"log": b"ccc", "log.1": b"aaa"}


@pytest.mark.parametrize("torn", [b'{"ti', b'{"time":"2","model', b'{"time":"2"' + b"x" * 200_000])
@pytest.mark.parametrize("before", [b"", b'{"time":"1"}\n'])
def test_a_torn_line_is_cut_off_before_the_first_write(
    tmp_path: Path, before: bytes, torn: bytes
) -> None:
    path = tmp_path / "log"
    path.write_bytes(before + torn)
    with file_at(path, max_bytes=10**6, lines=True) as file:
        append(file, b'{"time":"3"}\n')
        assert contents(path) == {"log": before + b'{"time":"3"}\n'}


def test_a_file_of_another_kind_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"something else\n")
    with file_at(path, lines=True) as file:
        append(file, b'{"time":"3"}\n')
        assert contents(path) == {"log": b'{"time":"3"}\n', "log.1": b"something else\n"}
