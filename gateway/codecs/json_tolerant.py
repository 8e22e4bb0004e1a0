"""The slow parser: JSON as liberal as TF Serving's (rapidjson), with its error phrases.

It runs only on bodies that the fast parser refuses or may misread.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from gateway.codecs.json_text import quote
from gateway.errors import ServingError, invalid_argument

_BOM = b"\xef\xbb\xbf"
_SPACES = " \t\n\r"
_STRING_OR_CONSTANT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?Inf(?!inity)|-NaN', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_GROWTH = len("Infinity") - len("Inf")


def parse_tolerantly(body: bytes | bytearray) -> Any:
    """The first JSON value in ``body``; what follows it is ignored.

    Accepts bare ``NaN``, ``Infinity``, ``Inf`` and their negatives; the first of equal keys wins
    at every level. Raises ServingError (INVALID_ARGUMENT) with TF Serving's phrases.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = _decode(body)
    expanded, shortened = _expand_constants(text)
    try:
        value = _parse_first(expanded)
        _refuse_lone_surrogates(value, expanded)
    except json.JSONDecodeError as error:
        position = error.pos - _GROWTH * sum(
            start + _GROWTH * count < error.pos for count, start in enumerate(shortened)
        )
        offset = len(body) - len(text[position:].encode())
        raise _parse_error("Invalid value.", offset, _reason(error)) from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: The document is nested too deeply.") from None
    return value


def _decode(body: bytes | bytearray) -> str:
    try:
        return body.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        offset = error.start + len(_BOM) * body.startswith(_BOM)
        raise _parse_error("Invalid encoding in string.", offset, "not UTF-8") from None


def _expand_constants(text: str) -> tuple[str, list[int]]:
    """Spell ``Inf`` and ``-NaN`` as the standard parser knows them, outside strings.

    Also returns where each ``Inf`` stood, to count error offsets in the client's own text.
    """
    shortened: list[int] = []

    def expand(match: re.Match[str]) -> str:
        text_or_constant = match[0]
        if text_or_constant == "-NaN":
            return " NaN"
        if text_or_constant.endswith("Inf"):
            shortened.append(match.start())
            return text_or_constant + "inity"
        return text_or_constant

    if "Inf" not in text and "-NaN" not in text:
        return text, shortened
    return _STRING_OR_CONSTANT.sub(expand, text), shortened


def _parse_first(text: str) -> Any:
    position = len(text) - len(text.lstrip(_SPACES))
    if position == len(text):
        raise _parse_error("The document is empty.", position, "nothing but white space")
    value, _ = _DECODER.raw_decode(text, position)
    return value


def _refuse_lone_surrogates(value: Any, text: str) -> None:
    """Half a surrogate pair is no character: it could never be encoded again."""
    if _SURROGATE_ESCAPE.search(text) is None:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "JSON Parse error: The surrogate pair in string is invalid."
        raise invalid_argument(message) from None


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        members = {}
        for key, value in pairs:
            members.setdefault(key, value)
    return members


def _integer(digits: str) -> int | float:
    """An int where 64 bits hold it, else the nearest float: as orjson and rapidjson do."""
    if len(digits) <= 20:
        number = int(digits)
        if -(2**63) <= number < 2**64:
            return number
    return _decimal(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise invalid_argument(
            f"JSON Parse error: Number too big to be stored in double. ({quote(digits)})"
        )
    return number


def _parse_error(phrase: str, offset: int, reason: str) -> ServingError:
    """``offset`` counts bytes of the body."""
    return invalid_argument(f"JSON Parse error: {phrase} at offset: {offset} ({reason})")


def _reason(error: json.JSONDecodeError) -> str:
    reason = error.msg.removesuffix(" at").removesuffix(" starting")
    return reason[:1].lower() + reason[1:]


_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins, parse_int=_integer, parse_float=_decimal)
