"""Whether a version folder has all its files, from names, sizes and checksums alone."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from gateway.backends.checkpoint_index import needed_bytes
from gateway.errors import Code, ServingError

MANIFEST = "MANIFEST.sha256"
"""Optional file of a version folder, as ``sha256sum`` writes it: checksum and relative path."""
VARIABLES = "variables/variables"
"""Prefix of a SavedModel's checkpoint (TensorFlow, saved_model/constants.h)."""

_GRAPH_FILES = ("saved_model.pb", "saved_model.pbtxt")
_INDEX = "variables.index"
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")
_MANIFEST_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def missing_files(path: Path) -> str:
    """What a SavedModel in the folder ``path`` lacks, in a few words; empty when it is complete.

    Tells a folder that is still being copied: no graph, an index without all of its data files,
    data files without their index or shorter than it says. Whether the graph needs variables at all
    is not known here.
    """
    variables = path / "variables"
    sizes = _sizes(variables)
    return _graph_fault(_sizes(path)) or _variables_fault(sizes) or _short_shard(variables, sizes)


def has_variables(path: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    return (path / "variables" / _INDEX).is_file()


def verify_manifest(path: Path) -> None:
    """Compare all files that the folder's manifest lists, if it has one, with their checksums.

    Reads them whole. Raises ServingError, DATA_LOSS, for the first that is missing or differs and
    for a line that is none of ``sha256sum``'s; OSError for a file that cannot be read.
    """
    manifest = path / MANIFEST
    if not manifest.is_file():
        return
    for name, expected in _manifest_lines(manifest):
        file = path / name
        if not file.is_file():
            raise _damaged(f"{name} is missing")
        with file.open("rb") as content:
            actual = hashlib.file_digest(content, "sha256").hexdigest()
        if actual != expected:
            raise _damaged(f"{name} differs")


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of the files of a folder by name; nothing for a folder that is not there."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _graph_fault(sizes: Mapping[str, int]) -> str:
    name = next((name for name in _GRAPH_FILES if name in sizes), "")
    if not name:
        return "saved_model.pb is missing"
    return "" if sizes[name] else f"{name} is empty"


def _variables_fault(sizes: Mapping[str, int]) -> str:
    shards = [match.groups() for name in sizes if (match := _SHARD.fullmatch(name))]
    if _INDEX not in sizes:
        return f"variables/{_INDEX} is missing" if shards else ""
    if not sizes[_INDEX]:
        return f"variables/{_INDEX} is empty"
    if not shards:
        return "the data files of variables are missing"
    missing = [next(_missing_shards(shards, total), "") for total in {of for _, of in shards}]
    # Files of an earlier, otherwise sharded export may lie about: one whole set is enough.
    return "" if "" in missing else f"variables/{min(missing)} is missing"


def _short_shard(variables: Path, sizes: Mapping[str, int]) -> str:
    """A data file of the right name that is still growing, or was cut off."""
    totals = {match[2] for name in sizes if (match := _SHARD.fullmatch(name))}
    if _INDEX not in sizes or len(totals) != 1:
        return ""
    try:
        needed = needed_bytes((variables / _INDEX).read_bytes())
    except (OSError, ValueError):
        return ""  # TensorFlow will say what is wrong with it
    (total,) = totals
    for shard, size in sorted(needed.items()):
        name = f"variables.data-{shard:05}-of-{total}"
        if sizes.get(name, 0) < size:
            return f"variables/{name} has {sizes.get(name, 0)} of {size} bytes"
    return ""


def _missing_shards(shards: list[tuple[str, ...]], total: str) -> Iterator[str]:
    for number in range(int(total)):
        if (f"{number:05}", total) not in shards:
            yield f"variables.data-{number:05}-of-{total}"


def _manifest_lines(manifest: Path) -> Iterator[tuple[str, str]]:
    """Relative path and checksum of each line."""
    lines = manifest.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        match = _MANIFEST_LINE.fullmatch(line)
        name = PurePosixPath(match[2]) if match else None
        if match is None or name is None or name.is_absolute() or ".." in name.parts:
            raise _damaged(f"line {number} is no checksum and relative path")
        yield str(name), match[1].lower()


def _damaged(what: str) -> ServingError:
    return ServingError(Code.DATA_LOSS, f"{MANIFEST}: {what}")
