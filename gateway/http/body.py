"""Reading a request's body: bounded in size and time, whatever its encoding."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING
from aiohttp.http_exceptions import TransferEncodingError
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from gateway.errors import Code, ServingError, invalid_argument
from gateway.http.inflate import BrokenBodyError, TooLargeError, inflate

_COMPRESSED = frozenset({"gzip", "deflate"})


async def read_body(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    """The body, inflated. At most ``limit`` bytes, all of it there within ``seconds``.

    Raises ServingError: 413 (from the head alone when that tells), 504 when it is too slow, 400
    when its encoding is unknown or broken.
    """
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    encoding = request.headers.get(CONTENT_ENCODING, "").strip().lower()
    if length is not None and not encoding and request.content.is_eof():
        return await request.read()
    if encoding and encoding != "identity" and encoding not in _COMPRESSED:
        raise invalid_argument(
            f"Content-Encoding {encoding[:64]!r} is not supported; expected gzip, deflate or none"
        )
    body = await _received(request, limit, seconds)
    return await _inflated(body, encoding, limit) if encoding in _COMPRESSED else body


async def _received(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    try:
        if request.content.is_eof():
            return await request.read()
        async with asyncio.timeout(seconds):
            await _encourage(request)
            return await request.read()
    except HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except TimeoutError:
        raise ServingError(
            Code.DEADLINE_EXCEEDED, f"the body did not arrive within {seconds:g} s"
        ) from None
    except (TransferEncodingError, web.RequestPayloadError) as error:
        raise invalid_argument("the body is broken: its transfer encoding is wrong") from error


async def _encourage(request: web.BaseRequest) -> None:
    """Answer ``Expect: 100-continue``: curl waits a second for it before it sends a large body."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _inflated(body: bytes, encoding: str, limit: int) -> bytes:
    try:
        # zlib lets the interpreter go while it works.
        return await asyncio.to_thread(inflate, body, encoding, limit)
    except TooLargeError:
        raise _too_large(limit) from None
    except BrokenBodyError as error:
        raise invalid_argument(f"the body is broken: declared as {encoding}, but {error}") from None


def _too_large(limit: int) -> ServingError:
    return ServingError(Code.PAYLOAD_TOO_LARGE, f"the body is larger than {limit} bytes")
