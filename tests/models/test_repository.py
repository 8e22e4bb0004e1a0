"""What is found on disk, and what becomes of a folder that changes under the look."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import Code, ServingError
from gateway.models import repository
from gateway.models.looking import look
from gateway.models.planner import MAX_STAND_INS
from gateway.models.repository import find_versions, list_versions
from gateway.models.version_policy import parse_version_policy


def add_version(base: Path, name: str, **files: str) -> Path:
    folder = base / name
    folder.mkdir(parents=True)
    for file, text in ({"saved_model": "graph"} | files).items():
        path = folder / file.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def fingerprint(base: Path, version: int = 1) -> int:
    return list_versions(find_versions(base), [version])[version].fingerprint


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("0", 0),
        ("1", 1),
        ("00000123", 123),
        ("1700000000", 1_700_000_000),
        ("1700000000000000000", 1_700_000_000_000_000_000),
        ("9223372036854775807", 2**63 - 1),
        ("0000000000000000000000000000000007", 7),
    ],
)
def test_names_of_versions(tmp_path: Path, name: str, version: int) -> None:
    add_version(tmp_path, name)
    assert find_versions(tmp_path) == {version: tmp_path / name}


NO_VERSIONS = (
    *("-1", "+1", "1e3", "1.0", "0x10", "1_000", " 1", "1 ", "1\n", "٣", "²", "१"),
    *("v1", "1a", ".1", "_packages", "9223372036854775808", "9" * 200),
)


@pytest.mark.parametrize("name", NO_VERSIONS)
def test_names_that_are_no_versions(tmp_path: Path, name: str) -> None:
    add_version(tmp_path, name)
    add_version(tmp_path, "5")
    assert list(find_versions(tmp_path)) == [5]


def test_of_two_names_for_one_number_one_wins_always(tmp_path: Path) -> None:
    add_version(tmp_path, "7")
    add_version(tmp_path, "007")
    assert find_versions(tmp_path) == {7: tmp_path / "7"}


def test_a_file_is_no_version(tmp_path: Path) -> None:
    (tmp_path / "3").write_text("")
    assert find_versions(tmp_path) == {}


def test_links_to_folders_are_versions_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    base = tmp_path / "model"
    target = add_version(tmp_path / "elsewhere", "build")
    add_version(base, "1")
    (base / "2").symlink_to(target)
    (base / "3").symlink_to(tmp_path / "nowhere")
    (base / "4").symlink_to(base / "4")
    (base / "5").symlink_to(target / "saved_model")
    assert find_versions(base) == {1: base / "1", 2: base / "2"}


def test_a_base_path_that_is_a_link(tmp_path: Path) -> None:
    add_version(tmp_path / "releases", "1")
    (tmp_path / "current").symlink_to(tmp_path / "releases")
    assert list(find_versions(tmp_path / "current")) == [1]


@pytest.mark.parametrize("name", ["missing", "file", "loop"])
def test_a_base_path_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ServingError) as caught:
        find_versions(tmp_path / name)
    assert caught.value.code is Code.NOT_FOUND
    assert str(tmp_path) not in caught.value.message


def test_equal_content_has_an_equal_fingerprint(tmp_path: Path) -> None:
    add_version(tmp_path, "1", variables__data="w")
    assert fingerprint(tmp_path) == fingerprint(tmp_path)


def _longer(folder: Path) -> None:
    (folder / "saved_model").write_text("another graph")


def _touched(folder: Path) -> None:
    os.utime(folder / "variables" / "data", ns=(1, 1))


def _another_file(folder: Path) -> None:
    (folder / "variables" / "index").write_text("")


def _file_gone(folder: Path) -> None:
    (folder / "variables" / "data").unlink()


def _renamed(folder: Path) -> None:
    (folder / "variables").rename(folder / "weights")


@pytest.mark.parametrize("change", [_longer, _touched, _another_file, _file_gone, _renamed])
def test_changes_are_seen(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    folder = add_version(tmp_path, "1", variables__data="w")
    before = fingerprint(tmp_path)
    change(folder)
    assert fingerprint(tmp_path) != before


def test_a_link_that_is_moved_is_a_change(tmp_path: Path) -> None:
    """How a release is switched: the link ``1`` moves from one build to the next."""
    for build in ("a", "b"):
        add_version(tmp_path / "builds", build)
        os.utime(tmp_path / "builds" / build / "saved_model", ns=(1, 1))
    base = tmp_path / "model"
    base.mkdir()
    (base / "1").symlink_to(tmp_path / "builds" / "a")
    before = fingerprint(base)
    (base / "next").symlink_to(tmp_path / "builds" / "b")
    (base / "next").rename(base / "1")
    assert fingerprint(base) != before


def test_linked_folders_inside_a_version_are_looked_into(tmp_path: Path) -> None:
    """A half-copied file behind a link is as incomplete as any other."""
    folder = add_version(tmp_path / "model", "1")
    store = add_version(tmp_path, "store", data="w")
    (folder / "variables").symlink_to(store)
    before = fingerprint(tmp_path / "model")
    (store / "data").write_text("longer")
    assert fingerprint(tmp_path / "model") != before


def test_a_link_to_its_own_folder_ends(tmp_path: Path) -> None:
    folder = add_version(tmp_path, "1", variables__data="w")
    (folder / "variables" / "up").symlink_to(folder)
    assert fingerprint(tmp_path) == fingerprint(tmp_path)


def test_a_dangling_link_does_not_hide_the_version(tmp_path: Path) -> None:
    """It is for the load to say that something is missing."""
    folder = add_version(tmp_path, "1")
    (folder / "assets").symlink_to(tmp_path / "nowhere")
    before = fingerprint(tmp_path)
    (tmp_path / "nowhere").mkdir()
    assert fingerprint(tmp_path) != before


def test_a_deletion_deep_inside_is_a_recent_change(tmp_path: Path) -> None:
    """Else a folder that is being deleted looks as if it had been complete for long."""
    folder = add_version(tmp_path, "1", variables__data="w", variables__index="i")
    before = list_versions(find_versions(tmp_path), [1])[1].changed_at
    past = (folder / "variables").stat().st_ctime
    while (folder / "variables").stat().st_ctime == past:
        (folder / "variables" / "index").unlink(missing_ok=True)
        os.utime(folder / "variables")
    assert list_versions(find_versions(tmp_path), [1])[1].changed_at > before


def test_a_folder_that_vanishes_during_the_look_is_left_out(tmp_path: Path) -> None:
    for name in ("1", "2"):
        add_version(tmp_path, name)
    paths = find_versions(tmp_path)
    shutil.rmtree(tmp_path / "2")
    assert list(list_versions(paths, paths)) == [1]


def test_a_file_that_vanishes_during_the_look_leaves_its_version_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(tmp_path, "1", first="", second="")
    paths = find_versions(tmp_path)

    def vanishing(folder: Path) -> Iterator[os.DirEntry[str]]:
        for entry in list(scandir(folder)):
            Path(entry).unlink()
            yield entry

    scandir = os.scandir
    monkeypatch.setattr(repository.os, "scandir", vanishing)
    assert list_versions(paths, paths) == {}


def test_a_folder_that_may_not_be_read_is_left_to_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out would wait for ever, without a reason in its status."""
    add_version(tmp_path, "1", variables__data="w")
    paths, before = find_versions(tmp_path), fingerprint(tmp_path)

    def forbidding(folder: Path) -> Iterator[os.DirEntry[str]]:
        if folder.name == "variables":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    scandir = os.scandir
    monkeypatch.setattr(repository.os, "scandir", forbidding)
    assert list_versions(paths, paths)[1].fingerprint != before


def test_a_look_reads_the_folders_that_matter_only(tmp_path: Path) -> None:
    for version in range(1, 11):
        add_version(tmp_path, str(version))
    found = look(tmp_path, parse_version_policy("latest"), [2, 99], passed_over=1)
    assert found.versions == frozenset(range(1, 11))
    assert sorted(found.listings) == [2, *range(10 - MAX_STAND_INS - 1, 11)]
    found = look(tmp_path, parse_version_policy("specific:3,50"), [], passed_over=1)
    assert sorted(found.listings) == [3]
    found = look(tmp_path, parse_version_policy("all"), [], passed_over=0)
    assert found.listings.keys() == found.versions


def test_an_empty_base_path_holds_nothing(tmp_path: Path) -> None:
    found = look(tmp_path, parse_version_policy("all"), [1], passed_over=1)
    assert (found.versions, found.listings) == (frozenset(), {})
