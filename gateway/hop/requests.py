"""Requests in frames: groups that share a description, each with records and then their values."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from gateway.hop.frames import FULL_FRAME_BYTES, BrokenFrame, Buffer, Kind, cut, frame

Record = tuple[int, int, int, float]
"""A request's number, its rows, the bytes of its values, and its first second on the monotonic
clock, which is one for all processes of the host."""

_RECORD = struct.Struct("<QIId")
_GROUP = struct.Struct("<III")
"""Bytes of the description, number of records, bytes of all values."""


class RequestGroup(NamedTuple):
    """Requests that share a description."""

    description: bytes
    records: Sequence[Record]
    values: Buffer
    """As long as the records say together."""


class _Group:
    __slots__ = ("pieces", "records", "size")

    def __init__(self) -> None:
        self.records: list[int | float] = []
        """Four for each request."""
        self.pieces: list[Buffer] = []
        self.size = 0


class RequestFrames:
    """Gathers requests until somebody takes them."""

    def __init__(self) -> None:
        self._groups: dict[bytes, _Group] = {}
        self._size = 0

    def add(
        self, description: bytes, number: int, rows: int, values: Sequence[Buffer], started: float
    ) -> bool:
        """Add a request; whether the frame should go at once."""
        group = self._groups.get(description)
        if group is None:
            group = self._groups[description] = _Group()
        size = 0
        for piece in values:
            size += len(piece)
        group.records += (number, rows, size, started)
        group.pieces += values
        group.size += size
        self._size += size
        return self._size >= FULL_FRAME_BYTES

    def take(self) -> list[Buffer]:
        """A frame of all that was added; nothing is left. Raises ValueError, and keeps nothing,
        when they are too long for a frame."""
        pieces: list[Buffer] = []
        for description, group in self._groups.items():
            count = len(group.records) // 4
            pieces.append(_GROUP.pack(len(description), count, group.size))
            pieces.append(description)
            pieces.append(_records(count).pack(*group.records))
            pieces += group.pieces
        self._groups = {}
        self._size = 0
        return frame(Kind.REQUESTS, pieces)


def read_requests(payload: Buffer) -> Iterator[RequestGroup]:
    """The groups of a frame. Raises BrokenFrame."""
    at, end = 0, len(payload)
    while at < end:
        if end - at < _GROUP.size:
            raise BrokenFrame("a group of requests is cut")
        described, count, size = _GROUP.unpack_from(payload, at)
        text_at = at + _GROUP.size
        records_at = text_at + described
        values_at = records_at + count * _RECORD.size
        at = values_at + size
        if at > end:
            raise BrokenFrame("a group of requests is cut")
        records = list(_RECORD.iter_unpack(payload[records_at:values_at]))
        if sum([record[2] for record in records]) != size:
            raise BrokenFrame("records and values differ")
        text = bytes(payload[text_at:records_at])
        yield RequestGroup(text, records, cut(payload, values_at, at))


@lru_cache(256)
def _records(count: int) -> struct.Struct:
    return struct.Struct("<" + "QIId" * count)
