"""Compressed answers, for clients that ask for them."""

from __future__ import annotations

import gzip
import re
import zlib

LEAST_BYTES = 512
"""A shorter answer would hardly become shorter."""

_LEVEL = 1
"""Tensors seldom get much smaller: the fastest level does."""
_WEIGHT = re.compile(r"q=(?P<weight>[01](?:\.[0-9]{0,3})?)", re.ASCII)


def choose_encoding(accepted: str) -> str:
    """``gzip``, ``deflate`` or nothing, as an Accept-Encoding header prefers (RFC 9110, 12.5.3);
    gzip of two that are equal. Without a header nothing."""
    best, chosen = 0.0, ""
    for entry in accepted.lower().split(",") if accepted else ():
        name, _, parameters = (part.strip() for part in entry.partition(";"))
        weight = _weight(parameters)
        better = weight > best or (weight == best and name == "gzip" and weight > 0)
        if name in ("gzip", "deflate") and better:
            best, chosen = weight, name
    return chosen


def compress(body: bytes, encoding: str) -> bytes:
    """``body`` as gzip, or as deflate in zlib's format."""
    if encoding == "gzip":
        return gzip.compress(body, _LEVEL, mtime=0)
    return zlib.compress(body, _LEVEL)


def _weight(parameters: str) -> float:
    """1 without one, 0 for one that is broken."""
    if not parameters:
        return 1.0
    match = _WEIGHT.fullmatch(parameters)
    return float(match["weight"]) if match else 0.0
