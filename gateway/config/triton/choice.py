"""Which models of the repository are served, and what was read of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.config.errors import ConfigError
from gateway.config.files import ConfigFiles
from gateway.config.layers import Found, Layer, Rank
from gateway.config.settings import Settings
from gateway.config.triton.folders import Folders, find_models
from gateway.config.triton.pbtxt import ReadOptions
from gateway.config.triton.repository import RepositoryModel, read_model
from gateway.config.wording import Key, dotted

ALL = "*"

_REPOSITORY: Key = ("model_repository",)
_ELSEWHERE = ("model_config_file", "model_base_path")


@dataclass(frozen=True, slots=True)
class Choice:
    """In explicit mode: the models that were loaded by name, and what is to change."""

    models: Mapping[str, RepositoryModel]
    """As they were read when they were loaded; later changes of their files have no effect."""
    read: frozenset[str] = frozenset()
    """To be read now, whether they are among ``models`` or not."""
    drop: frozenset[str] = frozenset()
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """A ModelConfig as proto3 JSON in the place of the file, by name."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What the configuration takes from the model repository."""

    models: Mapping[str, RepositoryModel] = field(default_factory=dict)
    """Those that are to be served."""
    names: frozenset[str] = frozenset()
    """Every model folder."""
    notes: tuple[str, ...] = ()

    def layer(self) -> dict[Key, Found]:
        """The settings of the models. ``[models.NAME]`` tables are stronger."""
        return {
            ("models", name, setting): Found(value, model.origin, Rank.TENSORFLOW_SERVING)
            for name, model in self.models.items()
            for setting, value in model.settings.items()
        }

    def without_idle(self, layer: Layer) -> dict[Key, Found]:
        """``layer`` without the settings of models of the repository that are not served now."""
        idle = self.names - self.models.keys()
        return {k: v for k, v in layer.items() if k[0] != "models" or k[1] not in idle}


def read_repository(
    found: Layer, settings: Settings, files: ConfigFiles, choice: Choice | None
) -> Repository:
    """The models of ``settings.model_repository``, whose other settings are in ``found``. Blocks.

    In explicit mode those of ``choice``, or without one those of load_model. Raises ConfigError
    when a repository cannot be read and when models are named elsewhere as well.
    """
    if not settings.model_repository:
        return Repository()
    _refuse_two_sources(found, settings)
    folders = find_models(settings.model_repository, files)
    models = dict(_models(folders, settings, files, choice))
    for name in models:
        _refuse_base_path(found, name)
    notes = [*folders.notes, *(f"model {n}: {note}" for n, m in models.items() for note in m.notes)]
    return Repository(models, frozenset(folders.models), tuple(notes))


def _models(
    folders: Folders, settings: Settings, files: ConfigFiles, choice: Choice | None
) -> Iterator[tuple[str, RepositoryModel]]:
    options = _options(settings)
    if settings.model_control_mode != "explicit":
        choice = Choice({}, frozenset(folders.models))
    elif choice is None:
        every = ALL in settings.load_model
        choice = Choice({}, frozenset(folders.models if every else settings.load_model))
    for name, model in choice.models.items():
        if name not in choice.read | choice.drop:
            yield name, model
    for name in sorted(choice.read):
        config = choice.configs.get(name)
        yield name, read_model(name, folders.models.get(name, ()), options, files, config)


def _options(settings: Settings) -> ReadOptions:
    return ReadOptions(
        complete=not settings.strict_model_config,
        config_name=settings.model_config_name,
        tags=settings.saved_model_tags,
        max_queue_rows=settings.max_queue_rows,
    )


def _refuse_two_sources(found: Layer, settings: Settings) -> None:
    for setting in _ELSEWHERE:
        if getattr(settings, setting):
            raise ConfigError(
                f"model_repository ({found[_REPOSITORY].origin}) and {setting} "
                f"({found[setting,].origin}) both say what to serve; leave one of them out"
            )


def _refuse_base_path(found: Layer, name: str) -> None:
    key = ("models", name, "base_path")
    if key in found:
        raise ConfigError(
            f"{dotted(key)} ({found[key].origin}) is told by the model repository, which has a "
            "model of this name"
        )
