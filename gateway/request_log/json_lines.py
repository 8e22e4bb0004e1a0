"""An entry as a line of JSON, and where the last complete line of a file ends."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.request_log.entry import Entry

_FIRST_KEY = b'{"time":"'
_CHUNK_BYTES = 64 * 1024
_NEWLINES_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")


def json_line(entry: Entry) -> bytes:
    """One JSON object and a newline; there is no other newline in it.

    ``request`` and ``response`` are the bodies, byte by byte but for line breaks between tokens,
    or what their protocol shows of them as JSON. A body that is not strictly JSON (a bare NaN) is
    a string, one that is no UTF-8 is ``{"b64": ...}``.
    """
    bodies = entry.bodies
    answered = entry.error is None
    line = {
        "time": datetime.fromtimestamp(entry.time, UTC).isoformat(timespec="microseconds"),
        "model": entry.model,
        "version": entry.version,
        "signature": entry.signature.name,
        "api": entry.api,
        "status": "OK" if entry.error is None else entry.error.code.name,
        "seconds": entry.seconds,
        "request": _body(bodies.request(entry.request_body)),
        "response": _body(bodies.response(entry.response_body)) if answered else _error(entry),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def starts_like_json_lines(head: bytes) -> bool:
    """Whether a file that begins with ``head`` may be ours, perhaps torn."""
    return head.startswith(_FIRST_KEY) or _FIRST_KEY.startswith(head)


def intact_lines(descriptor: int, size: int) -> int | None:
    """Length of the part up to the last newline, in bytes; None for a file of another kind."""
    if not starts_like_json_lines(os.pread(descriptor, len(_FIRST_KEY), 0)):
        return None
    end = size
    while end > 0:
        start = max(0, end - _CHUNK_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _body(body: bytes) -> Any:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return _text(body)
    # Strings have no raw control characters: line breaks are white space between tokens.
    return orjson.Fragment(bytes(body).translate(_NEWLINES_TO_SPACES))


def _text(body: bytes) -> str | dict[str, str]:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(body).decode("ascii")}


def _error(entry: Entry) -> dict[str, str]:
    assert entry.error is not None
    # A message may quote lone surrogates, which no JSON text can carry.
    return {"error": entry.error.message.encode("utf-8", "replace").decode()}
