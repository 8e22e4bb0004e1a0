"""Which requests are plain: decided from the bytes of the head alone.

llhttp reads the head, the rules here then take only what leaves no room for two readings. All
else, right or wrong, is aiohttp's to answer, so its strictness is that of the whole server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from multidict import CIMultiDict

from gateway.errors import ServingError
from gateway.http.binary import (
    SIGNATURE_NAME,
    TENSOR_DTYPE,
    TENSOR_NAME,
    TENSOR_SHAPE,
    is_binary,
)
from gateway.http.large import LARGE_BODY_BYTES
from gateway.http.paths import ModelPath, parse_model_path
from gateway.http.timing import wants_timing

START = b"POST /v1/models/"
"""What every plain request starts with."""
END = b"\r\n\r\n"
MAX_JSON_BYTES = LARGE_BODY_BYTES
"""Of a body that is read on the event loop."""
MAX_BINARY_BYTES = 1024 * 1024
"""Of one whose tensors are raw bytes, which take no reading, but copies while they arrive."""
MAX_HEAD_BYTES = 8000
"""Below the least of aiohttp's limits, which are for single lines."""

_MAX_FIELDS = 64
_CACHED_HEADS = 1024
_CACHED_HEAD_BYTES = 2048

_LINE_END = b"\r\n"
_VERSION = b" HTTP/1.1"
_PLAIN_BYTES = bytes(range(0x20, 0x7F)) + _LINE_END
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,17}")
_NOT_PLAIN = frozenset(
    {
        b"content-encoding",
        b"expect",
        b"http2-settings",
        b"proxy-connection",
        b"sec-websocket-key1",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_BINARY = b"octet-stream"
"""In a media type: tensors as raw bytes."""
_BINARY_FIELDS = ("Content-Type", "Accept", TENSOR_NAME, TENSOR_DTYPE, TENSOR_SHAPE, SIGNATURE_NAME)
_TIMING = (b"x-server-timing", b"server-timing")
_KEEP_ALIVE = {b"": True, b"keep-alive": True, b"close": False}


@dataclass(frozen=True, slots=True)
class Head:
    """A plain request without its body."""

    path: ModelPath
    body_bytes: int
    keep_alive: bool
    wants_timing: bool
    binary: Mapping[str, str] | None = None
    """The fields that describe tensors as raw bytes, names in any case; None when all is JSON."""


class HeadReader:
    """Reads heads, and knows those that it read lately.

    The same bytes always mean the same, and clients repeat themselves: most heads of a connection
    are one look-up.
    """

    def __init__(self, max_body_bytes: int, max_json_bytes: int = MAX_JSON_BYTES) -> None:
        """Requests with larger bodies are not plain, nor with more JSON than ``max_json_bytes``."""
        self._max_body_bytes = max_body_bytes
        self._max_json_bytes = max_json_bytes
        self._known: dict[bytes, Head] = {}

    def read(self, head: bytes) -> Head | None:
        """The request that ``head``, up to and with its first empty line, begins; None when it is
        not plain."""
        found = self._known.get(head)
        if found is None:
            found = read_head(head, self._max_body_bytes, self._max_json_bytes)
            if found is not None and len(head) <= _CACHED_HEAD_BYTES:
                # Who sends ever new heads costs all others one reading of theirs.
                if len(self._known) >= _CACHED_HEADS:
                    self._known.clear()
                self._known[head] = found
        return found


def may_be_plain(beginning: bytes) -> bool:
    """Whether an unfinished head can still become that of a plain request."""
    if len(beginning) < len(START):
        return START.startswith(beginning)
    first, complete, _ = beginning.partition(_LINE_END)
    return (
        beginning.startswith(START)
        and len(beginning) <= MAX_HEAD_BYTES
        and (not complete or first.endswith(_VERSION))
        and _has_plain_bytes(beginning.removesuffix(b"\r"))
    )


def read_head(
    head: bytes, max_body_bytes: int, max_json_bytes: int = MAX_JSON_BYTES
) -> Head | None:
    """See ``HeadReader.read``."""
    if not may_be_plain(head):
        return None
    parsed = _parse(head)
    if parsed is None:
        return None
    fields = parsed.fields
    length = _LENGTH.fullmatch(fields.get(b"content-length", b""))
    keep_alive = _KEEP_ALIVE.get(fields.get(b"connection", b"").lower())
    if length is None or keep_alive is None or not fields.get(b"host"):
        return None
    body_bytes = int(length[0])
    path = _predict_path(parsed.target.decode())
    binary = _binary_fields(fields)
    limit = MAX_BINARY_BYTES if binary is not None and is_binary(binary) else max_json_bytes
    if path is None or body_bytes > min(limit, max_body_bytes) or not _NOT_PLAIN.isdisjoint(fields):
        return None
    asked = {name.decode(): fields[name].decode() for name in _TIMING if name in fields}
    return Head(path, body_bytes, keep_alive, wants_timing(asked), binary)


def _binary_fields(fields: dict[bytes, bytes]) -> Mapping[str, str] | None:
    types = fields.get(b"content-type", b"") + fields.get(b"accept", b"")
    if _BINARY not in types.lower():
        return None
    found = CIMultiDict[str]()
    for name in _BINARY_FIELDS:
        value = fields.get(name.lower().encode())
        if value is not None:
            found[name] = value.decode()
    return found


class _Parsed:
    """What llhttp calls back with."""

    __slots__ = ("complete", "count", "fields", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: dict[bytes, bytes] = {}
        """By name in lower case."""
        self.count = 0
        self.complete = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.count += 1
        self.fields[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.complete = True


def _parse(head: bytes) -> _Parsed | None:
    """What llhttp makes of it, if each line is a field of its own and no name comes twice."""
    parsed = _Parsed()
    parser = HttpRequestParser(parsed)
    try:
        parser.feed_data(head)
    except (HttpParserError, HttpParserUpgrade):
        return None
    # Of the line ends, one is the request line's and one that of the empty line.
    lines = head.count(_LINE_END) - 2
    if not parsed.complete or not lines == parsed.count == len(parsed.fields) <= _MAX_FIELDS:
        return None
    return parsed


def _has_plain_bytes(head: bytes) -> bool:
    """Printable ASCII and whole line ends: no control character, no byte that needs a charset."""
    ends = head.count(_LINE_END)
    return (
        not head.translate(None, _PLAIN_BYTES)
        and head.count(b"\r") == ends
        and head.count(b"\n") == ends
    )


def _predict_path(target: str) -> ModelPath | None:
    try:
        path = parse_model_path("POST", target)
    except ServingError:
        return None
    return path if path.verb == "predict" else None
