"""A new set of models for a running server (TF Serving, HandleReloadConfigRequest)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gateway.config.checks import refuse_contradictions
from gateway.config.errors import ConfigError
from gateway.config.model_config_file import config_models
from gateway.config.model_settings import ModelSettings
from gateway.config.proto_text import ProtoFile
from gateway.config.settings import Settings
from gateway.config.wording import quoted

_LABEL = "the configuration"
_SAID = ("base_path", "model_version_policy", "version_labels")
"""What a model's configuration says, whether it mentions it or not."""


def with_models(settings: Settings, config: Any) -> Settings:
    """``settings`` with the models of ``config``, a ModelServerConfig, and no others.

    A model that was there keeps what such a configuration has no field for. A request log may be
    named only where the model writes it already: whoever asks is a client, and must not choose
    files to write to. Raises ConfigError.
    """
    if settings.model_repository:
        raise ConfigError(f"{_LABEL}: the models of this server are those of model_repository")
    models: dict[str, ModelSettings] = {}
    for name, said in config_models(ProtoFile(config, _LABEL, {})).items():
        former = settings.models.get(name, ModelSettings())
        _refuse_new_log(name, said, former.request_log or settings.request_log)
        given = ModelSettings.model_validate(said)
        update = {field: getattr(given, field) for field in _SAID}
        models[name] = former.model_copy(update=update)
    # The models of the start are not among them unless they are named.
    nothing = {"model_base_path": "", "model_config_file": ""}
    replaced = settings.model_copy(update={"models": models, **nothing})
    refuse_contradictions(replaced, defaultdict(lambda: "configured"))
    return replaced


def _refuse_new_log(name: str, said: dict[str, object], present: str) -> None:
    log = said.get("request_log")
    if log is not None and log != present:
        raise ConfigError(
            f"{_LABEL}: model {quoted(name)}: logging_config may name a file only in the server's"
            " own configuration (request_log)"
        )
