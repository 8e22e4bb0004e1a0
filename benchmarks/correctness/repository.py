"""The SavedModels of a folder, and a configuration that serves just those."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_MODEL_TABLE = re.compile(r'\s*\[\s*models\s*\.\s*(?:"([^"]+)"|([\w-]+))')


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The highest version of a model that is a SavedModel."""

    name: str
    version: int
    path: Path


def find_models(repository: Path, only: Collection[str] = ()) -> Iterator[ModelFolder]:
    """Models by name, those of ``only`` when given. Folders that start with ``_`` or ``.``, and
    those without a SavedModel, are passed over."""
    for folder in sorted(repository.iterdir()):
        if folder.name.startswith(("_", ".")) or (only and folder.name not in only):
            continue
        versions = {int(p.parent.name): p.parent for p in folder.glob("[0-9]*/saved_model.pb")}
        if versions:
            version = max(versions)
            yield ModelFolder(folder.name, version, versions[version].resolve())


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


def write_model_config(models: Collection[ModelFolder], folder: Path) -> Path:
    """A model config file (TF Serving's text format) for exactly these versions.

    Base paths below ``folder`` link to them: a higher version of another format may lie beside.
    """
    entries = []
    for model in models:
        base = folder / "served" / model.name
        base.mkdir(parents=True)
        (base / str(model.version)).symlink_to(model.path)
        entries.append(
            f'config {{ name: "{model.name}" base_path: "{base}" model_platform: "tensorflow" }}'
        )
    file = folder / "models.conf"
    file.write_text("model_config_list {\n" + "\n".join(entries) + "\n}\n")
    return file
