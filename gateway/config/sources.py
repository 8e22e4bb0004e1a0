"""The layers: TOML file, GATEWAY_* environment, TF Serving's container variables, flags."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from gateway.config.errors import ConfigError
from gateway.config.files import ConfigFiles
from gateway.config.layers import Found, Rank
from gateway.config.settings import Settings
from gateway.config.text import decode
from gateway.config.wording import Key, did_you_mean

DEFAULT_TOML = "tensorgate.toml"


def toml_layer(named: str | None, files: ConfigFiles) -> dict[Key, Found]:
    """Settings of the TOML file ``named``, or of ``tensorgate.toml`` if it is there.

    An empty name reads no file. Keys are not checked. Raises ConfigError for a file that
    cannot be read.
    """
    if named == "" or (named is None and not files.exists(DEFAULT_TOML)):
        return {}
    label = named or DEFAULT_TOML
    tree = _parsed_toml(files.read(label), label)
    return {key: Found(value, label, Rank.FILE) for key, value in _settings_in(tree)}


def _parsed_toml(text: str, label: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{label} is not valid TOML: {error}") from None


def _settings_in(tree: Mapping[str, object]) -> Iterator[tuple[Key, object]]:
    """A setting is replaced as a whole by a stronger layer, so tables below it stay in one."""
    for setting, value in tree.items():
        if setting == "models" and isinstance(value, dict):
            for name, model in value.items():
                yield from _model_settings_in(name, model)
        else:
            yield (setting,), value


def _model_settings_in(name: str, model: object) -> Iterator[tuple[Key, object]]:
    if not isinstance(model, dict) or not model:
        yield ("models", name), model
        return
    for setting, value in model.items():
        yield ("models", name, setting), value


def flags_layer(flags: Mapping[str, str]) -> dict[Key, Found]:
    """Settings given as flags, by their names.

    Raises ConfigError for a name that is no setting, and for broken JSON.
    """
    layer: dict[Key, Found] = {}
    known = Settings.model_fields.keys() - {"models"}
    for setting, text in flags.items():
        if setting not in known:
            raise ConfigError(f"flag --{setting} is not known{did_you_mean(setting, known)}")
        origin = f"flag --{setting}"
        layer[setting,] = Found(decode(text, Settings, setting, origin), origin, Rank.FLAG)
    return layer


def container_layer(environ: Mapping[str, str]) -> dict[Key, Found]:
    """``MODEL_BASE_PATH/MODEL_NAME``, served as MODEL_NAME, when either variable is set.

    Defaults are /models and model (TF Serving's container image).
    """
    given = [name for name in ("MODEL_NAME", "MODEL_BASE_PATH") if environ.get(name)]
    if not given:
        return {}
    name = environ.get("MODEL_NAME") or "model"
    base_path = PurePosixPath(environ.get("MODEL_BASE_PATH") or "/models", name)
    name_origin, path_origin = f"environment {given[0]}", f"environment {' and '.join(given)}"
    return {
        ("model_name",): Found(name, name_origin, Rank.CONTAINER),
        ("model_base_path",): Found(str(base_path), path_origin, Rank.CONTAINER),
    }
