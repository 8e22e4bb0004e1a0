"""TFRecord files: length-framed records with checksums (TensorFlow, record_writer.h)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c

from gateway.errors import Code, ServingError

_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")
_HEADER_SIZE = _LENGTH.size + _CHECKSUM.size
_MASK_DELTA = 0xA282EAD8
_UINT32 = 0xFFFFFFFF


def frame(record: bytes) -> bytes:
    """``record`` as it stands in a file; files are frames one after the other."""
    length = _LENGTH.pack(len(record))
    return b"".join((length, _checksum(length), record, _checksum(record)))


def read_records(path: Path) -> Iterator[bytes]:
    """The records of an uncompressed file, in order, read as they are asked for. Blocks.

    Raises ServingError, never with the path: DATA_LOSS for a frame that is broken or cut off,
    NOT_FOUND for no file, UNKNOWN for one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from _records(file)
    except OSError as error:
        code = Code.NOT_FOUND if isinstance(error, FileNotFoundError) else Code.UNKNOWN
        reason = error.strerror or type(error).__name__
        raise ServingError(code, f"the records cannot be read: {reason}") from error


def _records(file: BinaryIO) -> Iterator[bytes]:
    size = os.fstat(file.fileno()).st_size
    offset = 0
    while header := file.read(_HEADER_SIZE):
        if len(header) < _HEADER_SIZE:
            raise _data_loss("truncated", offset)
        length = header[: _LENGTH.size]
        if header[_LENGTH.size :] != _checksum(length):
            raise _data_loss("corrupted", offset)
        (record_size,) = _LENGTH.unpack(length)
        end = offset + _HEADER_SIZE + record_size + _CHECKSUM.size
        # Looked at before reading, which would take memory for whatever the header claims.
        if end > size:
            raise _data_loss("truncated", offset)
        record = file.read(record_size)
        if file.read(_CHECKSUM.size) != _checksum(record):
            raise _data_loss("corrupted", offset)
        yield record
        offset = end


def _checksum(data: bytes) -> bytes:
    """Of data that may hold checksums itself, hence masked."""
    crc = google_crc32c.value(data)
    rotated = (crc >> 15 | crc << 17) & _UINT32
    return _CHECKSUM.pack((rotated + _MASK_DELTA) & _UINT32)


def _data_loss(how: str, offset: int) -> ServingError:
    return ServingError(Code.DATA_LOSS, f"{how} record at {offset}")
