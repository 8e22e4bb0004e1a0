"""Answers of batches on their way to a front: each batch's values once, whoever shares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from batching import Item, OutputRows, Outputs
from gateway.backends.base import Signature
from gateway.codecs.json_write import WRITABLE
from gateway.engine.channel import Lane
from gateway.hop.frames import Buffer
from gateway.hop.outputs import Arrays, describe_outputs, pack_rows
from gateway.hop.replies import Record, reply_pieces


class Done(NamedTuple):
    """A request that has its outputs."""

    lane: Lane
    number: int
    started: float
    item: Item


_MEMO = "description for fronts"


def describe(outputs: Outputs, signature: Signature) -> bytes:
    """What the outputs look like, for a front that writes them as JSON without fail; empty when it
    could not, and the answer is to be written here."""
    if type(outputs) is not OutputRows:
        return _describe(outputs, signature, shared=False)
    found: bytes | None = outputs.batch.memo.get(_MEMO)
    if found is None:
        found = _describe(outputs.batch.arrays, signature, shared=True)
        outputs.batch.memo[_MEMO] = found
    return found


def together(done: Sequence[Done]) -> Iterator[Sequence[Done]]:
    """Those that share a batch; they stand one after the other."""
    group: list[Done] = []
    batch = None
    for one in done:
        outputs = one.item.outputs
        own = outputs.batch if type(outputs) is OutputRows else None
        if group and (own is None or own is not batch):
            yield group
            group = []
        batch = own
        group.append(one)
    if group:
        yield group


def reply_group(description: bytes, done: Sequence[Done]) -> list[Buffer]:
    """Requests that share a batch, or a single one, as part of a frame.

    Raises TypeError for a string that is not ``bytes``.
    """
    timing = done[0].item.timing
    assert timing is not None, "answered"
    records: list[Record] = []
    ranges: list[tuple[int, int]] = []
    arrays: Arrays = {}
    for _, number, _, item in done:
        outputs = item.outputs
        if type(outputs) is OutputRows:
            start, stop = outputs.start, outputs.stop
            arrays = outputs.batch.arrays
        else:
            assert outputs is not None, "answered"
            start, stop = 0, len(next(iter(outputs.values())))
            arrays = outputs
        ranges.append((start, stop))
        sealed_at = item.first_sealed_at or timing.sealed_at
        records.append((number, stop - start, sealed_at - item.enqueued_at))
    return reply_pieces(description, records, timing, pack_rows(arrays, ranges))


def _describe(arrays: Arrays, signature: Signature, *, shared: bool) -> bytes:
    rows = {len(array) if array.ndim else -1 for array in arrays.values()}
    if len(rows) != 1 or -1 in rows or arrays.keys().isdisjoint(signature.outputs):
        return b""
    if any(array.dtype not in WRITABLE for array in arrays.values()):
        return b""
    return describe_outputs(arrays, shared=shared)
