"""What is on disk: the numbered version folders of a base path."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Code, ServingError

_VERSION = re.compile(r"0*([0-9]{1,19})")
"""The whole name is digits; leading zeros count for nothing (TF Serving, storage_path)."""
_LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Listing:
    """A version folder as one look found it."""

    path: Path
    fingerprint: int
    """Of every file's name, size and modification time; equal for equal content."""
    changed_at: float
    """When anything in it last changed, by the file system's clock (seconds since the epoch)."""


def find_versions(base_path: Path) -> dict[int, Path]:
    """Version folders by number, in no particular order. Blocks.

    Names that are no number (``_packages``, ``.tmp``) and plain files are passed over. Two names
    of one number: the last in sorted order wins. Raises ServingError when the folder cannot be
    read; the message does not hold its path.
    """
    try:
        with os.scandir(base_path) as entries:
            folders = [e.name for e in entries if _is_version(e.name) and _is_folder(e)]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ServingError(Code.NOT_FOUND, f"the base path cannot be read: {reason}") from error
    return {int(name): base_path / name for name in sorted(folders)}


def list_versions(paths: Mapping[int, Path], versions: Collection[int]) -> dict[int, Listing]:
    """A look into the folders of ``versions``. Blocks. A folder that vanishes meanwhile is left
    out."""
    listings: dict[int, Listing] = {}
    for version in versions:
        try:
            listings[version] = _listing(paths[version])
        except OSError:
            continue
    return listings


def _is_version(name: str) -> bool:
    match = _VERSION.fullmatch(name)
    return match is not None and int(match[1]) <= _LARGEST_VERSION


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads back to itself must not hide the folders beside it.
        return False


def _listing(path: Path) -> Listing:
    top = path.stat()
    newest = top.st_ctime_ns
    content: list[tuple[str, int, int]] = []
    for name, status in _walk(path, "", frozenset([_identity(top)])):
        newest = max(newest, status.st_ctime_ns)
        # A folder's own size and time say nothing that its files do not.
        if not stat.S_ISDIR(status.st_mode):
            content.append((name, status.st_size, status.st_mtime_ns))
    return Listing(path, hash((os.path.realpath(path), *sorted(content))), newest / 1e9)


def _walk(
    folder: Path, prefix: str, above: frozenset[tuple[int, int]]
) -> Iterator[tuple[str, os.stat_result]]:
    """Files and folders below ``folder``, through links unless they lead back to those above."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except PermissionError:
        # To be loaded all the same: the failure says what is wrong.
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        status = _status(entry)
        yield name, status
        identity = _identity(status)
        if stat.S_ISDIR(status.st_mode) and identity not in above:
            yield from _walk(Path(entry.path), f"{name}/", above | {identity})


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    """What a link leads to, or the link itself if it leads nowhere."""
    try:
        return entry.stat()
    except OSError:
        return entry.stat(follow_symlinks=False)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
