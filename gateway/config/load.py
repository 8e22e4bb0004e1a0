"""From flags, environment and files to validated settings that know their origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from gateway.config.checks import (
    model_contradictions,
    refuse_contradictions,
    refuse_nothing_to_serve,
)
from gateway.config.derived import derived_settings
from gateway.config.environment import (
    TOML_FILE,
    environment_layer,
    model_environment_layer,
    places_a_model,
)
from gateway.config.errors import ConfigError
from gateway.config.explain import explain
from gateway.config.file_checks import RUNTIME_FILES, refuse_unreadable
from gateway.config.files import ConfigFiles
from gateway.config.layers import Found, Layer, merge, nest
from gateway.config.origins import all_origins
from gateway.config.served import names_models, served_models, unused_settings
from gateway.config.settings import Settings
from gateway.config.sources import container_layer, flags_layer, toml_layer
from gateway.config.tensorflow_serving import UNUSED_FLAGS, check_unused_flags
from gateway.config.text import decode_scalar
from gateway.config.triton.choice import Choice, read_repository
from gateway.config.triton.flags import FLAGS as TRITON_FLAGS
from gateway.config.triton.flags import check_unused, triton_layer
from gateway.config.triton.repository import RepositoryModel
from gateway.config.wording import Key, without_folders

TOML_FLAG = "config"

_PATHS = frozenset(["model_base_path", "base_path", "request_log", *RUNTIME_FILES])
"""Settings that name files or folders for later; configuration files are read at once."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration in force."""

    settings: Settings
    origins: Mapping[str, str]
    """Where each value came from, by dotted key: ``port``, ``models.NAME.max_batch_size``."""
    notes: tuple[str, ...]
    """What was accepted but has no effect, one line each."""
    repository: Mapping[str, RepositoryModel] = field(default_factory=dict)
    """Models of the Triton model repository as they were read."""
    repository_names: frozenset[str] = frozenset()
    """All that there are, also those that are not to be served."""


def load(
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    cwd: Path,
    *,
    require_models: bool = True,
    files: ConfigFiles | None = None,
    choice: Choice | None = None,
) -> Loaded:
    """Defaults < TF Serving's switches and files < TOML file < environment < flags.

    ``flags`` are texts by name: settings, ``config`` for the TOML file, Triton's names of settings,
    and flags without effect. Relative paths are taken from ``cwd``; ``files``, if given, is
    ``cwd``'s and learns which files were read; ``choice`` is that of explicit model control, when
    the start is over. Raises ConfigError for anything wrong, and when there is no model to serve
    unless ``require_models`` is false.
    """
    files = files or ConfigFiles(cwd)
    found = _absolute(_server_layers(flags, environ, files), cwd)
    server = _validate(found)
    derived = derived_settings(found, server, files)
    repository = read_repository(found, server, files, choice)
    served = _absolute(served_models(found, server, files), cwd)
    found = merge(derived.layer, found, served, repository.layer())
    names = repository.names.union(_validate(found).model_names())
    found = merge(found, _absolute(model_environment_layer(environ, names), cwd))
    found = repository.without_idle(found)
    found = _without_contradictory_folders(found)
    settings = _validate(found)
    origins = all_origins(settings, found)
    refuse_contradictions(settings, origins)
    refuse_unreadable(settings, origins)
    if require_models:
        refuse_nothing_to_serve(settings)
    notes = (
        *unused_settings(found, settings),
        *derived.notes,
        *repository.notes,
        *_unused_flags(flags),
        *check_unused(flags),
    )
    return Loaded(settings, origins, notes, repository.models, repository.names)


def _server_layers(
    flags: Mapping[str, str], environ: Mapping[str, str], files: ConfigFiles
) -> dict[Key, Found]:
    others = UNUSED_FLAGS.keys() | TRITON_FLAGS
    settings = {name: text for name, text in flags.items() if name not in others}
    toml = settings.pop(TOML_FLAG, None)
    if toml is None:
        toml = environ.get(TOML_FILE) or None
    found = merge(toml_layer(toml, files), environment_layer(environ), flags_layer(settings))
    found = merge(found, triton_layer(flags))
    # An image that presets MODEL_NAME and MODEL_BASE_PATH can still be told otherwise.
    if names_models(found) or places_a_model(environ):
        return found
    return merge(container_layer(environ), found)


def _without_contradictory_folders(found: Layer) -> dict[Key, Found]:
    """Model folders whose settings cannot stand beside each other or the server's become models
    with a problem: the others are served."""
    settings = _validate(found)
    origins = all_origins(settings, found)
    layer = dict(found)
    for name, model in settings.models.items():
        problem = next(model_contradictions(settings, origins, name), "") if model.triton else ""
        if model.triton is None or not problem:
            continue
        own = {k: v for k, v in layer.items() if k[:2] == ("models", name)}
        layer = {k: v for k, v in layer.items() if k not in own or k[2] == "base_path"}
        problem = model.triton.problem or without_folders(problem)
        broken = replace(model.triton, problem=problem)
        key = ("models", name, "triton")
        layer[key] = replace(own[key], value=broken)
    return layer


def _validate(layer: Layer) -> Settings:
    try:
        return Settings.model_validate(nest(layer))
    except ValidationError as error:
        raise ConfigError(explain(error, layer)) from None


def _absolute(layer: Layer, cwd: Path) -> dict[Key, Found]:
    """``layer`` with paths taken from ``cwd``; URIs are left for validation to refuse."""
    return {
        key: replace(found, value=_absolute_path(found.value, cwd)) if key[-1] in _PATHS else found
        for key, found in layer.items()
    }


def _absolute_path(value: object, cwd: Path) -> object:
    if not isinstance(value, str) or not value or "://" in value:
        return value
    return str(cwd / value)


def _unused_flags(flags: Mapping[str, str]) -> Iterator[str]:
    notes = tuple(check_unused_flags(flags))
    alts = flags.get("use_alts_credentials")
    if alts is not None and decode_scalar(alts, bool) is True:
        # To go on without it would open to everybody what was to be closed.
        raise ConfigError(
            "flag --use_alts_credentials: ALTS is not supported; use ssl_config_file for TLS"
        )
    yield from notes
