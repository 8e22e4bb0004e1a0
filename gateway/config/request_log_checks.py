"""Models that share a request log file must agree on how it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.config.settings import ResolvedModel, Settings
from gateway.config.wording import dotted, quoted

_OF_THE_FILE = ("request_log_format", "request_log_max_bytes", "request_log_max_files")


def request_log_contradictions(settings: Settings, origins: Mapping[str, str]) -> Iterator[str]:
    """One line for each setting in which two models of one file differ."""
    first: dict[str, ResolvedModel] = {}
    for model in map(settings.for_model, settings.model_names()):
        if not model.request_log:
            continue
        other = first.setdefault(model.request_log, model)
        for name in _OF_THE_FILE:
            if getattr(model, name) != getattr(other, name):
                yield (
                    f"{_quote(model, name, origins)} differs from {_quote(other, name, origins)}, "
                    f"but both log to {quoted(model.request_log)}"
                )


def _quote(model: ResolvedModel, name: str, origins: Mapping[str, str]) -> str:
    key = dotted(("models", model.name, name))
    return f"{key} = {quoted(getattr(model, name))} ({origins[key]})"
