"""Compressed bodies: inflated in steps, never beyond a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
STEP_BYTES = 256 * 1024


class BrokenBodyError(Exception):
    """The body is not what its Content-Encoding says, or ends too early."""


class TooLargeError(Exception):
    """The inflated body passes the limit."""


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """``body`` without its ``encoding`` (gzip or deflate), at most ``limit`` bytes.

    A gzip body may have several members; deflate is zlib's format or, as some clients send it, the
    bare stream. Raises BrokenBodyError or TooLargeError; never holds more than ``limit`` and a
    step in memory.
    """
    inflated = bytearray()
    for step in _steps(body, encoding):
        inflated += step
        if len(inflated) > limit:
            raise TooLargeError
    return bytes(inflated)


def _steps(body: bytes, encoding: str) -> Iterator[bytes]:
    rest = body
    while True:
        stream = zlib.decompressobj(_window(rest, encoding))
        try:
            while not stream.eof:
                step = stream.decompress(rest, STEP_BYTES)
                rest = stream.unconsumed_tail
                if not step and not rest and not stream.eof:
                    raise BrokenBodyError("it ends too early")
                yield step
        except zlib.error as error:
            raise BrokenBodyError("it is no such data") from error
        rest = stream.unused_data
        if encoding != "gzip" or not rest:
            return


def _window(body: bytes, encoding: str) -> int:
    if encoding == "gzip":
        return _GZIP
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else _RAW
