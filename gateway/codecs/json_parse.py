"""Request bodies to JSON objects: the fast parser first, the tolerant one where it must."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.codecs.json_text import json_type, quote
from gateway.codecs.json_tolerant import parse_tolerantly
from gateway.errors import invalid_argument

_UNIQUE_KEYS = {
    key: f'"{key}"'.encode()
    for key in ("signature_name", "instances", "inputs", "context", "examples")
}


def parse_object(body: bytes | bytearray | memoryview) -> dict[str, Any]:
    """The JSON object that ``body`` starts with.

    As TF Serving reads it (json_tensor, rapidjson): a byte order mark is skipped, ``NaN``,
    ``Infinity``, ``Inf`` and their negatives are numbers, text after the object is ignored, and
    of a repeated top-level key the first counts. Integers outside -2^63..2^64-1 are floats.

    Values may be nested as deep as the parsers bear (1024 levels on the fast path); whoever walks
    them sets the bound. Raises ServingError (INVALID_ARGUMENT), and nothing else.
    """
    return parse_document(bytes(body) if isinstance(body, memoryview) else body)[0]


def parse_document(body: bytes | bytearray) -> tuple[dict[str, Any], bool]:
    """``parse_object``, and whether the body certainly holds no string but keys and the value of
    ``signature_name``."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = parse_tolerantly(body)
        plain = False
    else:
        plain = has_keys_only(value, body.count(b'"'))
        if not plain and _may_repeat_a_key(value, body):
            value = parse_tolerantly(body)
    if type(value) is not dict:
        raise invalid_argument(f"JSON Value: {quote(value)} Type: {json_type(value)} Is not object")
    return value, plain


def has_keys_only(value: Any, quotes: int) -> bool:
    """Whether ``quotes`` in the text are those of the keys that were parsed from it, and of a
    signature's name. Then no key stands twice: a repeated one has quotes as well."""
    if type(value) is not dict:
        return False
    strings = len(value)
    if "signature_name" in value:
        strings += 1
    inner = value.get("instances") or value.get("inputs")
    if type(inner) is dict:
        strings += len(inner)
    elif type(inner) is list and inner and type(inner[0]) is dict:
        strings += sum([len(row) for row in inner if type(row) is dict])
    return quotes == 2 * strings


def _may_repeat_a_key(value: Any, body: bytes | bytearray) -> bool:
    """Whether a key that matters may stand twice at the top (orjson lets the last one win).

    False alarms cost a second parse, so the commonest is left out: an input named like its key.
    """
    if type(value) is not dict:
        return False
    for key, inner in value.items():
        if key in _UNIQUE_KEYS:
            once_inside = type(inner) is dict and key in inner
            if body.count(_UNIQUE_KEYS[key]) > 1 + once_inside:
                return True
    return False
