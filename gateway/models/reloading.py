"""Which changes of a model's settings need its versions loaded again."""

from __future__ import annotations

from gateway.config.settings import RequestLogSettings, ResolvedModel, VersionSettings

_WITHOUT_RELOAD = frozenset(
    (
        *("model_version_policy", "version_labels", "default_label", "shadow"),
        *VersionSettings.model_fields,
        *RequestLogSettings.model_fields,
    )
)


def needs_reload(old: ResolvedModel, new: ResolvedModel) -> bool:
    """Whether anything differs that is settled when a version is loaded. Golden answers are not
    asked again of what serves already."""
    return any(getattr(old, name) != value for name, value in new if name not in _WITHOUT_RELOAD)
