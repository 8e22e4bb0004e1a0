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
    if isinstance(body, memoryview):
        body = bytes(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = parse_tolerantly(body)
    else:
        if _may_repeat_a_key(value, body):
            value = parse_tolerantly(body)
    if type(value) is not dict:
        raise invalid_argument(f"JSON Value: {quote(value)} Type: {json_type(value)} Is not object")
    return value


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
