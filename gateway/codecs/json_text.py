"""How JSON values, their types and dtypes appear in error messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.backends.base import TensorSpec

_LIMIT = 256
"""Bytes of a client's value that a message quotes (TF Serving's limit)."""

_TYPES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))


def json_type(value: Any) -> str:
    """The JSON type of a parsed value, in TF Serving's words."""
    if isinstance(value, bool):
        return "True" if value else "False"
    return _TYPES[type(value)]


def quote(value: Any) -> str:
    """``value`` as JSON text, cut after 256 bytes.

    The text is produced piece by piece, so quoting from a huge body costs as little as from a
    small one, and nesting is followed only as deep as there are bytes to show.
    """
    pieces: list[str] = []
    size = 0
    for piece in _ENCODER.iterencode(value):
        pieces.append(piece)
        size += len(piece)
        if size > _LIMIT:
            break
    text = "".join(pieces).encode(errors="replace")
    if len(text) <= _LIMIT:
        return text.decode()
    return text[:_LIMIT].decode(errors="ignore") + "..."


def quote_keys(keys: Iterable[str]) -> str:
    """Keys that a client sent, as a cut JSON list."""
    return quote(list(keys))


def type_label(spec: TensorSpec) -> str:
    """TensorFlow's short name of the dtype: ``float``, ``int32``, ``half``, ``string``."""
    return spec.type_name.removeprefix("DT_").lower()
