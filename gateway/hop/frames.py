"""A stream cut into frames: length and kind, then the payload."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any

import orjson

PROTOCOL = 1
"""Both sides say theirs first; they must be the same."""

MAX_FRAME_BYTES = 1 << 30
"""A longer frame is none of ours. Nothing is allocated before its bytes are there."""
FULL_FRAME_BYTES = 1 << 20
"""A frame of many small messages is sent when it is as long as this."""
LARGE_BYTES = 64 * 1024
"""Parts above this are passed on as views, below they are copied, which is cheaper."""

Buffer = bytes | memoryview

_HEADER = struct.Struct("<IB")


class Kind(IntEnum):
    """What a frame holds."""

    HELLO = 1
    """JSON, first on either side: ``{"protocol": 1}``."""
    ROUTES = 2
    """JSON, from the engine: what a front may decode of one model."""
    REQUESTS = 3
    """From a front: see ``requests``."""
    CANCEL = 4
    """From a front: numbers of requests that nobody waits for any more."""
    REFUSED = 5
    """JSON, from a front: requests that it has answered with an error itself, to be counted."""
    REPLIES = 6
    """From the engine: see ``replies``."""
    BODY = 7
    """From the engine: an answer that it has written itself."""
    ERRORS = 8
    """JSON, from the engine: requests that failed."""
    STALE = 9
    """From the engine: numbers of requests that it wants in another way: as HTTP, because the front
    has read them by a signature that is not in force, or with their whole connection."""
    PASSED = 10
    """From a front: a request as HTTP, see ``passed``."""
    ANSWER = 11
    """From the engine: the answer to such a request."""


class BrokenFrame(Exception):
    """The other side does not keep to the protocol: the connection is of no more use."""


class FrameReader:
    """Cuts what arrives into frames."""

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        """The beginning of a frame."""
        self._missing = 0
        """Bytes without which nothing can be done with it."""

    def feed(self, data: bytes) -> Iterator[tuple[int, Buffer]]:
        """Kind and payload of each frame that is now complete. Raises BrokenFrame."""
        if self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._pieces)
            self._pieces.clear()
        at, end = 0, len(data)
        while end - at >= _HEADER.size:
            size, kind = _HEADER.unpack_from(data, at)
            if size > self._max_bytes:
                raise BrokenFrame(f"a frame of {size} bytes")
            start = at + _HEADER.size
            if end - start < size:
                self._keep(data, at, start + size)
                return
            at = start + size
            yield kind, cut(data, start, at)
        if at < end:
            self._keep(data, at, at + _HEADER.size)

    def _keep(self, data: bytes, at: int, needed: int) -> None:
        self._pieces.append(data[at:] if at else data)
        self._missing = needed - len(data)


def cut(buffer: Buffer, start: int, stop: int) -> Buffer:
    """A part of a buffer."""
    if stop - start > LARGE_BYTES:
        return memoryview(buffer)[start:stop]
    part = buffer[start:stop]
    return part if isinstance(part, bytes) else bytes(part)


def frame(kind: Kind, pieces: Sequence[Buffer]) -> list[Buffer]:
    """The buffers that make up a frame. Raises ValueError when it would be too long."""
    size = sum([len(piece) for piece in pieces])
    if size > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {size} bytes")
    return [_HEADER.pack(size, kind), *pieces]


def json_frame(kind: Kind, value: Any) -> bytes:
    """A frame of JSON."""
    text = orjson.dumps(value)
    return _HEADER.pack(len(text), kind) + text


def read_json(payload: Buffer) -> Any:
    """What a payload of JSON says. Raises BrokenFrame."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise BrokenFrame("no JSON") from error


def hello() -> bytes:
    """The first frame."""
    return json_frame(Kind.HELLO, {"protocol": PROTOCOL})


def check_hello(kind: int, payload: Buffer) -> None:
    """Raises BrokenFrame unless it is the first frame of one who speaks the same protocol."""
    said = read_json(payload) if kind == Kind.HELLO else None
    if said != {"protocol": PROTOCOL}:
        raise BrokenFrame("another protocol")


def numbers_frame(kind: Kind, numbers: Sequence[int]) -> bytes:
    """A frame of requests' numbers."""
    payload = struct.pack(f"<{len(numbers)}Q", *numbers)
    return _HEADER.pack(len(payload), kind) + payload


def read_numbers(payload: Buffer) -> Sequence[int]:
    """Of a ``numbers_frame``. Raises BrokenFrame."""
    count, rest = divmod(len(payload), 8)
    if rest:
        raise BrokenFrame("a number is cut")
    return struct.unpack(f"<{count}Q", payload)
