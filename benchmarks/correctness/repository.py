"""The SavedModels of a folder, and a configuration that serves just those."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_MODEL_TABLE = re.compile(r'\s*\[\s*models\s*\.\s*(?:"([^"]+)"|([\w-]+))')


def folder(text: str) -> Path:
    """An option's value that must be a folder."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return path


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The highest version of a model that is a SavedModel."""

    name: str
    version: int
    path: Path


def find_models(repository: Path, only: Collection[str] = ()) -> Iterator[ModelFolder]:
    """Models by name, those of ``only`` when given. Folders that start with ``_`` or ``.``, and
    those without a SavedModel, are passed over."""
    for base in sorted(repository.iterdir()):
        if base.name.startswith(("_", ".")) or (only and base.name not in only):
            continue
        paths = (path.parent for path in base.glob("*/saved_model.pb"))
        versions = {int(path.name): path for path in paths if path.name.isdecimal()}
        if versions:
            version = max(versions)
            yield ModelFolder(base.name, version, versions[version].resolve())


def settings_of(models: Collection[ModelFolder], toml: str) -> str:
    """A tensorgate.toml without the tables of other models, which nothing would place."""
    names = {model.name for model in models}
    kept: list[str] = []
    keep = True
    for line in toml.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            table = _MODEL_TABLE.match(line)
            keep = table is None or (table[1] or table[2]) in names
        if keep:
            kept.append(line)
    return "".join(kept)


def write_model_config(models: Collection[ModelFolder], place: Path) -> Path:
    """A model config file (TF Serving's text format) for exactly these versions.

    Base paths below ``place`` link to them: a higher version of another format may lie beside.
    """
    entries = []
    for model in models:
        base = place / "served" / model.name
        base.mkdir(parents=True)
        (base / str(model.version)).symlink_to(model.path)
        entries.append(
            f'config {{ name: "{model.name}" base_path: "{base}" model_platform: "tensorflow" }}'
        )
    file = place / "models.conf"
    file.write_text("model_config_list {\n" + "\n".join(entries) + "\n}\n")
    return file
