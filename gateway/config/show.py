"""The configuration in force, as a table or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from gateway.config.inherited import Overrides
from gateway.config.load import Loaded
from gateway.config.model_settings import NOT_TO_BE_SET
from gateway.config.sections import SECTIONS
from gateway.config.settings import ModelSettings
from gateway.config.wording import Key, dotted

_HEADER = ("SETTING", "VALUE", "ORIGIN")


def as_table(loaded: Loaded) -> str:
    """One line a setting, by dotted key: its value, as in TOML or JSON, and its origin."""
    rows = [_HEADER]
    for prefix, entries in _sections(loaded):
        for setting, entry in entries.items():
            value = json.dumps(entry["value"], ensure_ascii=False)
            rows.append((dotted((*prefix, setting)), value, entry["origin"]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def as_json(loaded: Loaded) -> str:
    """``{"settings": {NAME: {"value", "origin"}}, "models": {MODEL: {...}}, "notes": [...]}``.

    A number that JSON cannot hold (a padding value of infinity) is a text.
    """
    server, *models = _sections(loaded)
    document = {
        "settings": server[1],
        "models": {prefix[-1]: entries for prefix, entries in models},
        "notes": list(loaded.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def _sections(loaded: Loaded) -> Iterator[tuple[Key, dict[str, Any]]]:
    """The server's settings, then each model's, as they are after inheritance."""
    settings = loaded.settings
    yield (), _entries(settings, _server_order(), (), loaded)
    for name in settings.model_names():
        prefix = ("models", name)
        yield prefix, _entries(settings.for_model(name), _model_order(), prefix, loaded)


def _server_order() -> Iterator[str]:
    for settings in SECTIONS.values():
        yield from settings


def _model_order() -> Iterator[str]:
    """The settings that only a model has, then those that it may inherit."""
    inherited = Overrides.model_fields.keys()
    yield from (n for n in ModelSettings.model_fields if n not in inherited | NOT_TO_BE_SET)
    yield from Overrides.model_fields


def _entries(
    source: BaseModel, names: Iterable[str], prefix: Key, loaded: Loaded
) -> dict[str, Any]:
    values = source.model_dump()
    return {
        name: {"value": _plain(values[name]), "origin": loaded.origins[dotted((*prefix, name))]}
        for name in names
    }


def _plain(value: object) -> object:
    """``value`` in JSON's types."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | None) else str(value)
