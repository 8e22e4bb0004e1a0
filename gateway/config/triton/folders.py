"""The model folders of one or several repositories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.errors import ConfigError
from gateway.config.files import ConfigFiles
from gateway.config.wording import quoted
from gateway.errors import ServingError
from gateway.models.repository import find_versions

_NAME = re.compile(r"[^/\\:.\x00][^/\\:\x00]*")


@dataclass(frozen=True, slots=True)
class Folders:
    """What one look at the repositories found."""

    models: dict[str, list[Path]] = field(default_factory=dict)
    """By name; more than one where repositories disagree about who has the model."""
    notes: list[str] = field(default_factory=list)


def is_model_name(name: str) -> bool:
    """Whether a folder of this name can be a model: it becomes part of URLs and of paths."""
    return _NAME.fullmatch(name) is not None


def find_models(repositories: Sequence[str], files: ConfigFiles) -> Folders:
    """The folders of ``repositories``, in alphabetical order. Hidden ones are passed over.

    Raises ConfigError for a repository that cannot be read.
    """
    found = Folders()
    for repository in repositories:
        for name in _names(repository, files):
            if is_model_name(name):
                found.models.setdefault(name, []).append(files.cwd / repository / name)
            elif not name.startswith("."):
                found.notes.append(f"model repository: {quoted(name)} cannot be a model's name")
    return found


def _names(repository: str, files: ConfigFiles) -> list[str]:
    try:
        return files.folders(repository)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"the model repository {repository} cannot be read: {reason}") from None


def file_inside(folder: Path, name: str) -> Path | None:
    """``folder/name``, unless links lead out of ``folder``. Blocks."""
    path = folder / name
    return path if path.resolve().is_relative_to(folder.resolve()) else None


def has_file(folder: Path, names: Sequence[str]) -> str:
    """The first of ``names`` that is in a version folder of the model; empty if none is."""
    try:
        versions = find_versions(folder)
    except ServingError:
        return ""
    present = (name for path in versions.values() for name in names if (path / name).exists())
    return next(present, "")
