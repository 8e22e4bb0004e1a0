"""pydantic's errors as one line: the setting, what it must be, what came, where from."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.config.layers import Layer, origin_of
from gateway.config.queue_settings import QueuePolicy
from gateway.config.settings import ModelSettings, PadSettings, Settings, ShadowSettings
from gateway.config.wording import Key, did_you_mean, dotted, quoted

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "string_too_short": "a text of at least {min_length}",
}


def explain(error: ValidationError, layer: Layer) -> str:
    """The first mistake in ``layer``, and how many more there are."""
    first, *more = error.errors(include_url=False)
    line = _line(first, layer)
    return f"{line} ({len(more)} more after this one)" if more else line


def _line(mistake: ErrorDetails, layer: Layer) -> str:
    key = tuple(part for part in mistake["loc"] if isinstance(part, str) and part != "[key]")
    origin = origin_of(layer, key)
    kind = mistake["type"]
    if kind == "extra_forbidden":
        hint = did_you_mean(key[-1], _model_at(key).model_fields)
        return f"{dotted(key)} is not a setting ({origin}){hint}"
    if kind == "missing":
        return f"{dotted(key)} is missing ({origin})"
    return f"{dotted(key)} {demand(mistake)}, not {quoted(mistake['input'])} ({origin})"


def demand(mistake: ErrorDetails) -> str:
    """``must be ...``; our own validators raise their messages in this form."""
    context = mistake.get("ctx", {})
    if mistake["type"] == "value_error":
        return str(context["error"])
    if mistake["type"] not in _EXPECTED:
        return f"must be different: {mistake['msg']}"
    return "must be " + _EXPECTED[mistake["type"]].format(**context)


def _model_at(key: Key) -> type[BaseModel]:
    """The model whose field ``key`` ends in."""
    if key[0] != "models":
        return Settings
    if len(key) == len(("models", "name", "setting")):
        return ModelSettings
    tables: dict[str, type[BaseModel]] = {
        "shadow": ShadowSettings,
        "priority_queue_policies": QueuePolicy,
    }
    return tables.get(key[2], PadSettings)
