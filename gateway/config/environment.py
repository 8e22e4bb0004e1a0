"""GATEWAY_<SETTING> and GATEWAY_MODEL__<NAME>__<SETTING>."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from gateway.config.errors import ConfigError
from gateway.config.layers import Found, Rank
from gateway.config.model_settings import NOT_TO_BE_SET
from gateway.config.settings import ModelSettings, Settings
from gateway.config.text import decode
from gateway.config.wording import Key, did_you_mean, dotted

PREFIX = "GATEWAY_"
MODEL_PREFIX = "GATEWAY_MODEL__"
TOML_FILE = "GATEWAY_CONFIG"

_SETTINGS = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields if name != "models"}
_MODEL_SETTINGS = {
    name.upper(): name for name in ModelSettings.model_fields if name not in NOT_TO_BE_SET
}

# Kubernetes puts these into every pod of a namespace that has a Service named "gateway" or
# "gateway-...". They are nobody's mistake, and GATEWAY_PORT even has the name of a setting.
_SERVICE_LINK = re.compile(
    r"GATEWAY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_LINK_URL = re.compile(r"(tcp|udp|sctp)://\S+")


def environment_layer(environ: Mapping[str, str]) -> dict[Key, Found]:
    """Settings in GATEWAY_<SETTING> variables; empty ones count as unset.

    Raises ConfigError for a variable that is no setting.
    """
    layer: dict[Key, Found] = {}
    for variable, text in _ours(environ):
        if variable == TOML_FILE or variable.startswith(MODEL_PREFIX):
            continue
        setting = _SETTINGS.get(variable)
        if setting is None:
            hint = did_you_mean(variable, (*_SETTINGS, TOML_FILE))
            raise ConfigError(f"environment {variable} is not a setting{hint}")
        layer[setting,] = _found(text, Settings, setting, variable)
    return layer


def model_environment_layer(
    environ: Mapping[str, str], model_names: Iterable[str]
) -> dict[Key, Found]:
    """Settings of single models: GATEWAY_MODEL__<NAME>__<SETTING>.

    NAME is the model's name in any case, every character but ASCII letters and digits as _:
    HALF_PLUS_TWO for half-plus.two. Raises ConfigError for a NAME that is no model's or two
    models', and for an unknown SETTING.
    """
    names = list(model_names)
    layer: dict[Key, Found] = {}
    for variable, text in _ours(environ):
        if variable.startswith(MODEL_PREFIX):
            key = _model_key(variable, names)
            if key in layer:
                raise ConfigError(f"{layer[key].origin} and {variable} both set {dotted(key)}")
            layer[key] = _found(text, ModelSettings, key[-1], variable)
    return layer


def places_a_model(environ: Mapping[str, str]) -> bool:
    """Whether a variable gives some model its base path."""
    return any(
        variable.startswith(MODEL_PREFIX) and variable.endswith("__BASE_PATH")
        for variable, _ in _ours(environ)
    )


def environment_name(model_name: str) -> str:
    """How ``model_name`` is written in a variable's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", model_name).upper()


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and text and not _is_service_link(variable, text):
            yield variable, text


def _is_service_link(variable: str, text: str) -> bool:
    if variable.endswith("_PORT") and _SERVICE_LINK_URL.fullmatch(text):
        return True
    return variable not in _SETTINGS and _SERVICE_LINK.fullmatch(variable) is not None


def _found(text: str, model: type[Settings | ModelSettings], setting: str, variable: str) -> Found:
    origin = f"environment {variable}"
    return Found(decode(text, model, setting, origin), origin, Rank.ENVIRONMENT)


def _model_key(variable: str, names: list[str]) -> Key:
    # From the right: a model's name may have two underscores in a row, a setting's has not.
    written_name, separator, written_setting = variable.removeprefix(MODEL_PREFIX).rpartition("__")
    if not separator:
        raise ConfigError(f"environment {variable} must be written {MODEL_PREFIX}<NAME>__<SETTING>")
    setting = _MODEL_SETTINGS.get(written_setting)
    if setting is None:
        hint = did_you_mean(written_setting, _MODEL_SETTINGS)
        raise ConfigError(
            f"environment {variable}: {written_setting} is not a setting of a model{hint}"
        )
    return "models", _model_written_as(written_name, variable, names), setting


def _model_written_as(written: str, variable: str, names: list[str]) -> str:
    matches = [name for name in names if environment_name(name) == written.upper()]
    if len(matches) > 1:
        raise ConfigError(
            f"environment {variable} could mean several models: {', '.join(sorted(matches))}"
        )
    if not matches:
        known = ", ".join(sorted(names)) or "none"
        hint = did_you_mean(written.upper(), map(environment_name, names))
        raise ConfigError(
            f"environment {variable}: no model is called {written} (models: {known}){hint}"
        )
    return matches[0]
