"""Where every setting in force came from."""

from __future__ import annotations

from gateway.config.layers import Layer, origin_of
from gateway.config.settings import InheritedSettings, ModelSettings, Settings
from gateway.config.wording import dotted


def all_origins(settings: Settings, layer: Layer) -> dict[str, str]:
    """Origins by dotted key: the server's settings, then each model's.

    A model's setting that it takes from the server's is ``inherited, ORIGIN``.
    """
    keys = [(setting,) for setting in Settings.model_fields if setting != "models"]
    origins = {dotted(key): origin_of(layer, key) for key in keys}
    for name in settings.model_names():
        for setting in ModelSettings.model_fields:
            origins[dotted(("models", name, setting))] = _model_origin(layer, name, setting)
    return origins


def _model_origin(layer: Layer, name: str, setting: str) -> str:
    own = layer.get(("models", name, setting))
    inherits_when_empty = setting == "devices"
    if own is not None and (own.value or not inherits_when_empty):
        return own.origin
    if setting in InheritedSettings.model_fields or inherits_when_empty:
        return f"inherited, {origin_of(layer, (setting,))}"
    return "default"
