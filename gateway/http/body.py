"""Reading a request's body: bounded in size and time, whatever its encoding."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, TransferEncodingError
from aiohttp.web_exceptions import HTTPRequestEntityTooLarge

from gateway.errors import Code, ServingError, invalid_argument

_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
"""Content encodings that are inflated before the limit is applied."""


async def read_body(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    """The body, inflated. At most ``limit`` bytes, all of it there within ``seconds``.

    Raises ServingError: 413 (from the head alone when that tells), 504 when it is too slow, 400
    when its encoding is unknown or broken.
    """
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise invalid_argument(
            f"Content-Encoding {encoding[:64]!r} is not supported; expected gzip, deflate or none"
        )
    try:
        if request.content.is_eof():
            return await request.read()
        async with asyncio.timeout(seconds):
            return await request.read()
    except HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None
    except TimeoutError:
        raise ServingError(
            Code.DEADLINE_EXCEEDED, f"the body did not arrive within {seconds:g} s"
        ) from None
    except (ContentEncodingError, TransferEncodingError, web.RequestPayloadError) as error:
        declared = f"declared as {encoding}" if encoding else "in its transfer encoding"
        raise invalid_argument(f"the body is broken: it cannot be read {declared}") from error


def _too_large(limit: int) -> ServingError:
    return ServingError(Code.PAYLOAD_TOO_LARGE, f"the body is larger than {limit} bytes")
