"""Contradictions between settings, each refused with one line that quotes both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config.errors import ConfigError
from gateway.config.padding_checks import padding_contradictions
from gateway.config.request_log_checks import request_log_contradictions
from gateway.config.settings import BatchSettings, ResolvedModel, Settings
from gateway.config.version_checks import version_contradictions
from gateway.config.waiting import level_contradictions
from gateway.config.wording import Key, dotted, quoted

NO_MODEL = (
    "no model to serve: give --model_base_path (with --model_name), --model_config_file, or "
    "[models.NAME] in tensorgate.toml; `tensorgate demo` serves a built-in model"
)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The batching settings of one model, or the defaults of all, and how to quote them."""

    batch: BatchSettings
    settings: Settings
    origins: Mapping[str, str]
    model: str | None = None

    def quote(self, setting: str) -> str:
        """``max_batch_size = 32 (default)``"""
        if self.model is not None and setting in ResolvedModel.model_fields:
            return self._quote(("models", self.model, setting), self.batch)
        return self.quote_default(setting)

    def quote_default(self, setting: str) -> str:
        """As ``quote``, but the setting of the whole server."""
        return self._quote((setting,), self.settings)

    def _quote(self, key: Key, source: BatchSettings) -> str:
        name = dotted(key)
        return f"{name} = {quoted(getattr(source, key[-1]))} ({self.origins[name]})"


def refuse_contradictions(settings: Settings, origins: Mapping[str, str]) -> None:
    """Raises ConfigError for the first contradiction. ``origins`` are those of ``Loaded``."""
    for problem in _contradictions(settings, origins):
        raise ConfigError(problem)


def refuse_nothing_to_serve(settings: Settings) -> None:
    """Raises ConfigError when there is no model, and no file that says that there is none."""
    if not settings.model_names() and not settings.model_config_file:
        raise ConfigError(NO_MODEL)


def _contradictions(settings: Settings, origins: Mapping[str, str]) -> Iterator[str]:
    everywhere = _Scope(settings, settings, origins)
    yield from _ports(settings, everywhere)
    yield from _tls(settings, everywhere)
    yield from _limits(everywhere)
    for name in settings.model_names():
        model = settings.for_model(name)
        scope = _Scope(model, settings, origins, name)
        yield from _model_location(model)
        yield from _limits(scope)
        yield from _model_devices(model, scope)
        yield from _length_patience(model, scope)
        yield from padding_contradictions(model, origins)
        yield from level_contradictions(model, origins)
        yield from version_contradictions(model, scope.quote)
    yield from request_log_contradictions(settings, origins)


def _ports(settings: Settings, scope: _Scope) -> Iterator[str]:
    if settings.port and settings.port == settings.rest_api_port:
        yield f"{scope.quote('port')} is the same as {scope.quote('rest_api_port')}"


def _tls(settings: Settings, scope: _Scope) -> Iterator[str]:
    if bool(settings.ssl_certificate_file) != bool(settings.ssl_key_file):
        yield (
            f"{scope.quote('ssl_certificate_file')} and {scope.quote('ssl_key_file')} only work "
            "together"
        )
    if settings.ssl_client_ca_file and not settings.ssl_certificate_file:
        yield f"{scope.quote('ssl_client_ca_file')} needs ssl_certificate_file and ssl_key_file"


def _limits(scope: _Scope) -> Iterator[str]:
    batch, timeout = scope.batch, scope.settings.rest_api_timeout_in_ms
    if batch.max_batch_size > batch.max_queue_rows:
        yield (
            f"{scope.quote('max_batch_size')} exceeds {scope.quote('max_queue_rows')}: "
            "a full batch would not fit the queue"
        )
    if batch.allowed_batch_sizes and batch.allowed_batch_sizes[-1] != int(batch.max_batch_size):
        yield (
            f"{scope.quote('allowed_batch_sizes')} must end with {scope.quote('max_batch_size')}"
        )
    if batch.batch_timeout_ms >= timeout:
        yield (
            f"{scope.quote('batch_timeout_ms')} is not below "
            f"{scope.quote('rest_api_timeout_in_ms')}: requests would expire before their batch"
        )
    yield from _queue_budget(scope)


def _queue_budget(scope: _Scope) -> Iterator[str]:
    budget = scope.batch.queue_budget_ms
    if budget > scope.settings.rest_api_timeout_in_ms:
        yield (
            f"{scope.quote('queue_budget_ms')} exceeds {scope.quote('rest_api_timeout_in_ms')}: "
            "requests would expire in the queue first"
        )
    if 0 < budget < scope.batch.batch_timeout_ms:
        yield (
            f"{scope.quote('batch_timeout_ms')} exceeds {scope.quote('queue_budget_ms')}: "
            "waiting for a fuller batch would use up the budget"
        )


def _model_location(model: ResolvedModel) -> Iterator[str]:
    if not model.base_path.parts:
        key = dotted(("models", model.name, "base_path"))
        yield f"model {model.name} has no base path: set {key} to the folder of its version folders"


def _model_devices(model: ResolvedModel, scope: _Scope) -> Iterator[str]:
    configured = scope.settings.devices
    missing = [device for device in model.devices if device not in configured]
    if configured and missing:
        yield f"{scope.quote('devices')} is not among {scope.quote_default('devices')}"


def _length_patience(model: ResolvedModel, scope: _Scope) -> Iterator[str]:
    if model.length_patience_ms >= scope.settings.rest_api_timeout_in_ms:
        yield (
            f"{scope.quote('length_patience_ms')} is not below "
            f"{scope.quote('rest_api_timeout_in_ms')}: a row passed over would expire"
        )
