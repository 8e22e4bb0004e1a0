"""Answers in frames: groups that share a batch, each with records and then the batch's values."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from batching import RunTiming
from gateway.hop.frames import BrokenFrame, Buffer, Kind, cut, frame

Record = tuple[int, int, float]
"""A request's number, its rows, and the seconds that it waited in the queue."""

_RECORD = struct.Struct("<QId")
_GROUP = struct.Struct("<IIQdddII")
"""Bytes of the description, number of records, bytes of the values; then the batch's times and
rows, see RunTiming."""
_BODY = struct.Struct("<QddddII")


class HopTiming(NamedTuple):
    """Where the time of an answered request went, as Item has it."""

    timing: RunTiming
    queue_seconds: float


class ReplyGroup(NamedTuple):
    """Requests that one batch has answered; rows are shared out in the order of the records."""

    description: bytes
    records: Sequence[Record]
    timing: RunTiming
    values: Buffer


def reply_pieces(
    description: bytes, records: Sequence[Record], timing: RunTiming, values: Sequence[Buffer]
) -> list[Buffer]:
    """A group as part of a frame's payload."""
    size = sum([len(piece) for piece in values])
    flat: list[float] = []
    for record in records:
        flat += record
    count = len(records)
    head = _GROUP.pack(len(description), count, size, *timing[:5])
    return [head, description, _records(count).pack(*flat), *values]


def read_replies(payload: Buffer) -> Iterator[ReplyGroup]:
    """The groups of a frame. Raises BrokenFrame."""
    at, end = 0, len(payload)
    while at < end:
        if end - at < _GROUP.size:
            raise BrokenFrame("a group of answers is cut")
        described, count, size, *times = _GROUP.unpack_from(payload, at)
        text_at = at + _GROUP.size
        records_at = text_at + described
        values_at = records_at + count * _RECORD.size
        at = values_at + size
        if at > end:
            raise BrokenFrame("a group of answers is cut")
        records = list(_RECORD.iter_unpack(payload[records_at:values_at]))
        text = bytes(payload[text_at:records_at])
        yield ReplyGroup(text, records, _timing(times), cut(payload, values_at, at))


def body_frame(number: int, queue_seconds: float, timing: RunTiming, body: bytes) -> list[Buffer]:
    """An answer that is JSON already. Raises ValueError when it is too long."""
    return frame(Kind.BODY, [_BODY.pack(number, queue_seconds, *timing[:5]), body])


def read_body(payload: Buffer) -> tuple[int, HopTiming, bytes]:
    """Of a ``body_frame``: the request's number, its timing, its answer. Raises BrokenFrame."""
    if len(payload) < _BODY.size:
        raise BrokenFrame("an answer is cut")
    number, queue_seconds, *times = _BODY.unpack_from(payload, 0)
    return number, HopTiming(_timing(times), queue_seconds), bytes(payload[_BODY.size :])


def _timing(times: Sequence[float]) -> RunTiming:
    sealed, started, finished, rows, padded_rows = times
    # On what it ran is the engine's business.
    return RunTiming(sealed, started, finished, int(rows), int(padded_rows), "")


@lru_cache(256)
def _records(count: int) -> struct.Struct:
    return struct.Struct("<" + "QId" * count)
