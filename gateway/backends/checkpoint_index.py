"""The index of a checkpoint (``variables.index``): how long its data files must be.

The file is a table of sorted keys in blocks (TensorFlow, core/lib/io/table: LevelDB's format), its
values say where each tensor lies (core/protobuf/tensor_bundle.proto).
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.backends.wire import fields, varint

_FOOTER_BYTES = 48
_MAGIC = 0xDB4775248B80FB57
_UNCOMPRESSED = 0
_SHARD, _OFFSET, _SIZE = 3, 4, 5
"""Fields of BundleEntryProto."""


def needed_bytes(index: bytes) -> dict[int, int]:
    """The least size of each data file, by its number.

    Raises ValueError for what is no such index, or one in a form that TensorFlow does not write.
    """
    footer = index[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise ValueError("no table")
    position = 0
    for _ in range(2):  # of the meta index, which is empty
        _, position = varint(footer, position)
    needed: dict[int, int] = {}
    for _, handle in _entries(_block(index, footer[position:])):
        for key, value in _entries(_block(index, handle)):
            if key:  # the empty key is the header's
                shard, end = _extent(value)
                needed[shard] = max(end, needed.get(shard, 0))
    return needed


def _block(index: bytes, handle: bytes) -> bytes:
    offset, position = varint(handle, 0)
    size, _ = varint(handle, position)
    content, trailer = index[offset : offset + size], index[offset + size : offset + size + 1]
    if len(content) < size or trailer != bytes([_UNCOMPRESSED]):
        raise ValueError("a block is cut short or compressed")
    return content


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys, each of which shares its beginning with the one before it, and values."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("a block is cut short")
    key, position = b"", 0
    while position < end:
        shared, position = varint(block, position)
        own, position = varint(block, position)
        length, position = varint(block, position)
        if position + own + length > end:
            raise ValueError("an entry is cut short")
        key = key[:shared] + block[position : position + own]
        yield key, block[position + own : position + own + length]
        position += own + length


def _extent(entry: bytes) -> tuple[int, int]:
    """The number of a tensor's data file, and where the tensor ends in it."""
    numbers = dict.fromkeys((_SHARD, _OFFSET, _SIZE), 0)
    for field in fields(entry, 0, len(entry)):
        if field.number in numbers:
            numbers[field.number], _ = varint(entry, field.value)
    return numbers[_SHARD], numbers[_OFFSET] + numbers[_SIZE]
