"""Models that are named elsewhere than in the ``[models]`` table, brought into it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.errors import ConfigError
from gateway.config.files import ConfigFiles
from gateway.config.layers import Found, Layer, Rank
from gateway.config.model_config_file import parse_model_config
from gateway.config.settings import Settings
from gateway.config.wording import Key, dotted, quoted

_FILE: Key = ("model_config_file",)
_BASE_PATH: Key = ("model_base_path",)
_NAME: Key = ("model_name",)
_REPOSITORY: Key = ("model_repository",)
_CONTROL = (
    "load_model",
    "model_config_name",
    "model_control_mode",
    "repository_poll_secs",
    "strict_model_config",
)
"""Settings that mean nothing without a model repository."""
_EXPLICIT = "model_control_mode=explicit"


def names_models(layer: Layer) -> bool:
    """Whether ``layer`` says where models are; ``[models.NAME]`` may just tune one."""
    return any(
        found.value and (key in (_FILE, _BASE_PATH, _REPOSITORY) or key[2:] == ("base_path",))
        for key, found in layer.items()
    )


def served_models(found: Layer, settings: Settings, files: ConfigFiles) -> dict[Key, Found]:
    """Models of the model config file, else the one of model_name and model_base_path.

    ``found`` holds absolute base paths; ``settings`` are its values. Raises ConfigError for a
    bad file, and when two sources of equal strength differ about a model.
    """
    if settings.model_config_file:
        return _models_of_file(found, settings.model_config_file, files)
    if settings.model_base_path:
        return _single_model(found, settings.model_name)
    return {}


def unused_settings(found: Layer, settings: Settings) -> Iterator[str]:
    """Notes on settings that say what to serve where they have no effect."""
    if settings.model_config_file and settings.model_base_path:
        yield (
            f"model_base_path ({found[_BASE_PATH].origin}) is not used, because "
            f"model_config_file ({found[_FILE].origin}) names the models"
        )
    if _NAME in found and not settings.model_base_path:
        yield f"model_name ({found[_NAME].origin}) has no effect without model_base_path"
    explicit = settings.model_control_mode == "explicit"
    if settings.load_model and settings.model_repository and not explicit:
        yield f"load_model ({found['load_model',].origin}) has no effect without {_EXPLICIT}"
    for setting in () if settings.model_repository else _CONTROL:
        if (setting,) in found:
            yield f"{setting} ({found[setting,].origin}) has no effect without model_repository"


def _models_of_file(found: Layer, file: str, files: ConfigFiles) -> dict[Key, Found]:
    _refuse_stronger_base_path(found)
    models = parse_model_config(files.read(file, "model config file"), file)
    layer: dict[Key, Found] = {
        ("models", name, setting): Found(value, file, Rank.FILE)
        for name, model in models.items()
        for setting, value in model.items()
    }
    for key, value in layer.items():
        _refuse_disagreement(key, found, value)
    return layer


def _single_model(found: Layer, name: str) -> dict[Key, Found]:
    key = ("models", name, "base_path")
    _refuse_disagreement(key, found, found[_BASE_PATH])
    return {key: found[_BASE_PATH]}


def _refuse_stronger_base_path(found: Layer) -> None:
    """A base path beside the file is ignored, as in TF Serving; one that overrides it is not."""
    file, base_path = found[_FILE], found.get(_BASE_PATH)
    if base_path is not None and base_path.value and base_path.rank > file.rank:
        raise ConfigError(
            f"model_base_path ({base_path.origin}) and model_config_file ({file.origin}) both "
            "say what to serve; leave one of them out"
        )


def _refuse_disagreement(key: Key, found: Layer, other: Found) -> None:
    table = found.get(key)
    if table is not None and table.rank == other.rank and table.value != other.value:
        raise ConfigError(
            f"{dotted(key)} is {quoted(table.value)} in {table.origin} but "
            f"{quoted(other.value)} in {other.origin}"
        )
