"""Large bodies: their lists of numbers are taken out of the text, and only the rest is parsed as
JSON documents are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from numpy.typing import NDArray

from batching import aligned_empty
from gateway.backends.base import Tensors, TensorSpec
from gateway.codecs.json_numbers import NumberBlock, read_block
from gateway.codecs.json_parse import has_keys_only
from gateway.codecs.json_values import read_array

LEAST_BODY_BYTES = 4096
"""Below this the detour costs more than it saves."""
_LEAST_BLOCK_BYTES = 256
_MOST_QUOTES = 1024

_MARK = "\0"
_MARKED = b'"\\u0000%d"'
"""Begins the strings that stand for blocks. No client's string has it: as a byte it is no JSON,
and a body with a backslash is not taken."""


class BlockDocument(NamedTuple):
    """A JSON object in which NumberBlocks stand for lists of numbers."""

    members: dict[str, Any]
    rest: bytes
    """The text without the blocks."""


def parse_blocks(body: bytes) -> BlockDocument | None:
    """The document that ``body`` is, provided that it has blocks, that its strings are keys and at
    most a signature's name, and that no key stands twice. None for all others, right or wrong."""
    found = cut_blocks(body)
    return _restored(*found) if found is not None else None


def cut_blocks(body: bytes) -> tuple[list[bytes], list[NumberBlock]] | None:
    """The text of ``body`` between its quotes, with marks instead of the lists of numbers that are
    values of keys, and those lists; None where there are none, or they are not all blocks."""
    if b"\\" in body:
        return None
    blocks: list[NumberBlock] = []
    pieces: list[bytes] = []
    start = 0
    while len(pieces) <= _MOST_QUOTES:
        end = body.find(b'"', start)
        # Every other piece lies within a string.
        piece = _take_block(body, start, end if end >= 0 else len(body), blocks)
        if piece is None:
            return None
        pieces.append(piece)
        if end < 0:
            return (pieces, blocks) if blocks else None
        start = body.find(b'"', end + 1) + 1
        if not start:
            return None
        pieces.append(body[end + 1 : start - 1])
    return None


def put_back(members: dict[str, Any], blocks: list[NumberBlock]) -> int:
    """Put blocks in the places of their marks among the values of ``members``; how many."""
    count = 0
    for key, value in members.items():
        if type(value) is str and value.startswith(_MARK):
            members[key] = blocks[int(value[1:])]
            count += 1
    return count


def decode_blocks(
    value: Any, specs: Mapping[str, TensorSpec], *, rows: bool, numbers_only: bool
) -> Tensors | None:
    """The arrays of ``instances`` (``rows``) or ``inputs``; None where anything is not as it
    should be."""
    if type(value) is NumberBlock:
        columns: Mapping[str, Any] = dict.fromkeys(specs, value) if len(specs) == 1 else {}
    elif rows:
        columns = _transposed(value, specs)
    else:
        columns = value if type(value) is dict else {}
    if not specs or columns.keys() != specs.keys():
        return None
    arrays = {}
    for alias, spec in specs.items():
        array = _read(columns[alias], spec, numbers_only=numbers_only)
        if array is None:
            return None
        arrays[alias] = array
    return arrays


def _take_block(body: bytes, start: int, end: int, blocks: list[NumberBlock]) -> bytes | None:
    """What stands in ``body`` between two strings, with a mark instead of the list that the key
    before it has; None when that is no block."""
    if end - start < _LEAST_BLOCK_BYTES:
        return body[start:end]
    opening = body.find(b"[", start, end)
    if opening < 0 or body[start:opening].strip() != b":":
        return body[start:end]
    # The object that holds the list may end after it, and others begin.
    brace = body.find(b"}", opening, end)
    closing = body.rfind(b"]", opening, brace if brace >= 0 else end) + 1
    block = read_block(body[opening:closing])
    if block is None:
        return None
    blocks.append(block)
    return body[start:opening] + _MARKED % (len(blocks) - 1) + body[closing:end]


def _restored(pieces: list[bytes], blocks: list[NumberBlock]) -> BlockDocument | None:
    rest = b'"'.join(pieces)
    try:
        document = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return None
    if not has_keys_only(document, len(pieces) - 1):
        return None
    found = sum(put_back(one, blocks) for one in (document, *_inner_objects(document)))
    return BlockDocument(document, rest) if found == len(blocks) else None


def _inner_objects(document: dict[str, Any]) -> list[dict[str, Any]]:
    inner = document.get("instances") or document.get("inputs")
    objects = inner if type(inner) is list else [inner]
    return [one for one in objects if type(one) is dict]


def _transposed(rows: Any, specs: Mapping[str, TensorSpec]) -> dict[str, list[Any]]:
    """Nothing unless all are objects of the expected keys."""
    if type(rows) is not list:
        return {}
    for row in rows:
        if type(row) is not dict or row.keys() != specs.keys():
            return {}
    return {alias: [row[alias] for row in rows] for alias in specs}


def _read(value: Any, spec: TensorSpec, *, numbers_only: bool) -> NDArray[Any] | None:
    if type(value) is NumberBlock:
        return value.read(spec)
    if type(value) is list and any(type(row) is NumberBlock for row in value):
        return _stacked(value, spec)
    return read_array(value, spec, numbers_only=numbers_only)


def _stacked(blocks: list[Any], spec: TensorSpec) -> NDArray[Any] | None:
    shape = getattr(blocks[0], "shape", None)
    if any(type(block) is not NumberBlock or block.shape != shape for block in blocks):
        return None
    out = aligned_empty((len(blocks), *blocks[0].shape), spec.dtype)
    for index, block in enumerate(blocks):
        array = block.read(spec)
        if array is None:
            return None
        out[index] = array
    return out
