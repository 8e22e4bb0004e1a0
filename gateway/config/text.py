"""Values that come as text, from the environment and from flags."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.config.errors import ConfigError

_BOOLEANS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip


def decode(text: str, model: type[BaseModel], setting: str, origin: str) -> object:
    """``text`` as the type of ``model``'s field ``setting``.

    Lists are separated by commas; lists and tables may be JSON. Text that does not fit comes
    back as it is, for validation to refuse. Raises ConfigError for broken JSON.
    """
    kind = _plain_type(model.model_fields[setting].annotation)
    container = get_origin(kind)
    if container is tuple:
        return _list(text, get_args(kind)[0], origin)
    if isinstance(container or kind, type) and issubclass(container or kind, Mapping | BaseModel):
        return _json(text, origin)
    return decode_scalar(text, kind)


def _plain_type(annotation: Any) -> Any:
    """``annotation`` without ``Annotated`` and ``| None``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain_type(get_args(annotation)[0])
    if origin in (Union, UnionType):
        (one,) = (kind for kind in get_args(annotation) if kind is not NoneType)
        return _plain_type(one)
    return annotation


def _list(text: str, item_type: Any, origin: str) -> object:
    if text.lstrip().startswith("["):
        return _json(text, origin)
    if not text.strip():
        return []
    kind = _plain_type(item_type)
    return [decode_scalar(part.strip(), kind) for part in text.split(",")]


def _json(text: str, origin: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{origin} is not valid JSON: {error.msg} at column {error.colno}"
        ) from None


def decode_scalar(text: str, kind: Any) -> object:
    """``text`` as bool, int, float or str; unchanged when it does not fit."""
    if kind is bool:
        return _BOOLEANS.get(text.strip().lower(), text)
    readers: dict[Any, Callable[[str], object]] = {int: int, float: float}
    try:
        return readers.get(kind, str)(text)
    except ValueError:
        return text
