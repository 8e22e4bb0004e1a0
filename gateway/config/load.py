"""From flags, environment and files to validated settings that know their origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from gateway.config.checks import refuse_contradictions, refuse_nothing_to_serve
from gateway.config.environment import (
    TOML_FILE,
    environment_layer,
    model_environment_layer,
    places_a_model,
)
from gateway.config.errors import ConfigError
from gateway.config.explain import explain
from gateway.config.layers import Found, Layer, merge, nest
from gateway.config.origins import all_origins
from gateway.config.served import names_models, served_models, unused_settings
from gateway.config.settings import Settings
from gateway.config.sources import container_layer, flags_layer, toml_layer
from gateway.config.wording import Key

TOML_FLAG = "config"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration in force."""

    settings: Settings
    origins: Mapping[str, str]
    """Where each value came from, by dotted key: ``port``, ``models.NAME.max_batch_size``."""
    notes: tuple[str, ...]
    """What was accepted but has no effect, one line each."""


def load(
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    cwd: Path,
    *,
    require_models: bool = True,
) -> Loaded:
    """Defaults < TOML file < environment < flags.

    ``flags`` are texts by setting name, and ``config`` names the TOML file. Relative paths are
    taken from ``cwd``. Raises ConfigError for anything wrong, and when there is no model to
    serve unless ``require_models`` is false.
    """
    found = _absolute(_server_layers(flags, environ, cwd), cwd)
    server = _validate(found)
    found = merge(found, served_models(found, server, cwd))
    names = _validate(found).model_names()
    found = merge(found, _absolute(model_environment_layer(environ, names), cwd))
    settings = _validate(found)
    origins = all_origins(settings, found)
    refuse_contradictions(settings, origins)
    if require_models:
        refuse_nothing_to_serve(settings)
    notes = (*_unserved_ports(settings, origins), *unused_settings(found, settings))
    return Loaded(settings, origins, notes)


def _server_layers(
    flags: Mapping[str, str], environ: Mapping[str, str], cwd: Path
) -> dict[Key, Found]:
    settings = dict(flags)
    toml = settings.pop(TOML_FLAG, None)
    if toml is None:
        toml = environ.get(TOML_FILE) or None
    found = merge(toml_layer(toml, cwd), environment_layer(environ), flags_layer(settings))
    # An image that presets MODEL_NAME and MODEL_BASE_PATH can still be told otherwise.
    if names_models(found) or places_a_model(environ):
        return found
    return merge(container_layer(environ), found)


def _validate(layer: Layer) -> Settings:
    try:
        return Settings.model_validate(nest(layer))
    except ValidationError as error:
        raise ConfigError(explain(error, layer)) from None


def _absolute(layer: Layer, cwd: Path) -> dict[Key, Found]:
    """``layer`` with base paths taken from ``cwd``; URIs are left for validation to refuse."""
    return {
        key: replace(found, value=_absolute_path(found.value, cwd))
        if key[-1] in ("model_base_path", "base_path")
        else found
        for key, found in layer.items()
    }


def _absolute_path(value: object, cwd: Path) -> object:
    if not isinstance(value, str) or not value or "://" in value:
        return value
    return str(cwd / value)


def _unserved_ports(settings: Settings, origins: Mapping[str, str]) -> Iterator[str]:
    if settings.port:
        yield (
            f"gRPC is not served by this version: port {settings.port} ({origins['port']}) "
            "stays closed"
        )
