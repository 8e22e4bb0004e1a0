"""Answers as aiohttp responses."""

from __future__ import annotations

import logging
import math
from random import randrange
from typing import Any

import orjson
from aiohttp import web

from gateway.errors import Code, ServingError

logger = logging.getLogger(__name__)

RETRY_SPREAD_SECONDS = 2

_HEADERS = {"Content-Type": "application/json"}


def json_bytes(body: bytes, status: int = 200) -> web.Response:
    """An answer that is JSON already."""
    return web.Response(body=body, status=status, headers=_HEADERS)


def json_response(value: Any, status: int = 200) -> web.Response:
    return json_bytes(orjson.dumps(value), status)


def error_response(error: ServingError, later: int | None = None) -> web.Response:
    """``{"error": "..."}`` with the status of the error's code (TF Serving's form).

    Clients that are told when to come back must not all come back at once: ``later`` is added to
    the error's own seconds, RETRY_SPREAD_SECONDS at most, by chance if it is not given.
    """
    # What a client sent may hold lone surrogates, which are no text that JSON could carry.
    message = error.message.encode("utf-8", "replace").decode()
    response = json_response({"error": message}, error.code.http_status)
    if error.retry_after is not None:
        if later is None:
            later = randrange(RETRY_SPREAD_SECONDS + 1)  # noqa: S311 - no secret
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)) + later)
    return response


def code_of(error: BaseException) -> Code:
    """What a failed request counts as."""
    return error.code if isinstance(error, ServingError) else Code.INTERNAL


def refusal(error: BaseException, method: str) -> web.Response:
    """The answer to a request that failed. What is nobody's known mistake is logged, not told."""
    if isinstance(error, ServingError):
        return error_response(error)
    logger.error("request failed", exc_info=error, extra={"method": method})
    return error_response(ServingError(Code.INTERNAL, "internal error"))
