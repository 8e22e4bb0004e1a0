"""The models of a Triton repository: every folder with what its config.pbtxt says.

A model whose configuration cannot be used is a model all the same, with its problem in the place
of its settings: one broken folder does not keep the others from being served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.config.errors import ConfigError
from gateway.config.files import ConfigFiles
from gateway.config.proto_text import ProtoFile
from gateway.config.triton.folders import file_inside, has_file
from gateway.config.triton.model import TritonModel
from gateway.config.triton.pbtxt import (
    FOREIGN_FILES,
    ReadOptions,
    foreign_platform,
    parse_json,
    parse_text,
    read_config,
)

CONFIG_FILE = "config.pbtxt"
GIVEN = "the given configuration"


@dataclass(frozen=True, slots=True)
class RepositoryModel:
    """One model folder as it was read."""

    name: str
    origin: str
    """``NAME/config.pbtxt``: where its settings came from."""
    settings: Mapping[str, object]
    """Fields of ModelSettings."""
    notes: tuple[str, ...] = ()
    """What has no effect, one line each."""

    @property
    def triton(self) -> TritonModel:
        model = self.settings["triton"]
        assert isinstance(model, TritonModel), "read_model puts it there"
        return model


def read_model(
    name: str,
    folders: Sequence[Path],
    options: ReadOptions,
    files: ConfigFiles,
    config: Mapping[str, Any] | None = None,
) -> RepositoryModel:
    """The model ``name``, which is in ``folders``; ``config``, a ModelConfig as proto3 JSON, takes
    the place of its file. Blocks; never raises for what is wrong with the model."""
    if len(folders) != 1:
        found = "in more than one repository" if folders else "not in the repository"
        return _unusable(name, folders[0] if folders else files.cwd / name, f"it is {found}")
    (folder,) = folders
    origin = f"{name}/{CONFIG_FILE}"
    try:
        file = _file(folder, options, files) if config is None else parse_json(config, GIVEN)
        return _read(name, folder, file, options, files)
    except ConfigError as error:
        return _unusable(name, folder, str(error), origin=origin)


def _read(
    name: str, folder: Path, file: ProtoFile | None, options: ReadOptions, files: ConfigFiles
) -> RepositoryModel:
    if reason := _why_foreign(folder, file):
        return _unusable(name, folder, reason, foreign=True)
    if file is None:
        if not options.complete:
            raise ConfigError(f"{CONFIG_FILE} is missing (and nothing may be left open)")
        settings: dict[str, object] = {"triton": TritonModel(folder)}
        return RepositoryModel(name, name, {"base_path": str(folder), **settings})

    def read_labels(label_file: str) -> str:
        path = file_inside(folder, label_file)
        if path is None:
            raise ConfigError(f"label_filename {label_file} leads out of the model's folder")
        return files.read(str(path), label=f"label_filename {label_file}")

    config = read_config(file, folder, read_labels, options)
    return RepositoryModel(
        name, f"{name}/{file.label}", {"base_path": str(folder), **config.settings}, config.notes
    )


def _file(folder: Path, options: ReadOptions, files: ConfigFiles) -> ProtoFile | None:
    """The model's configuration; None without one. Raises ConfigError."""
    named = [f"configs/{options.config_name}.pbtxt"] if options.config_name else []
    for label in (*named, CONFIG_FILE):
        path = str(folder / label)
        if files.exists(path):
            return parse_text(files.read(path, label=label), label)
    return None


def _why_foreign(folder: Path, file: ProtoFile | None) -> str:
    if file is not None and (reason := foreign_platform(file.message)):
        return reason
    if file is not None and (file.message.platform or file.message.backend):
        return ""
    found = has_file(folder, tuple(FOREIGN_FILES))
    if not found or has_file(folder, ("saved_model.pb", "saved_model.pbtxt", "model.savedmodel")):
        return ""
    return f"models of {FOREIGN_FILES[found]} are not served ({found})"


def _unusable(
    name: str, folder: Path, problem: str, *, origin: str = "", foreign: bool = False
) -> RepositoryModel:
    triton = TritonModel(folder, problem=problem, foreign=foreign)
    return RepositoryModel(name, origin or name, {"base_path": str(folder), "triton": triton})
