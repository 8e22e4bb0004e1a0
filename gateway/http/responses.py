"""Answers as aiohttp responses."""

from __future__ import annotations

import math
from typing import Any

import orjson
from aiohttp import web

from gateway.errors import ServingError

_HEADERS = {"Content-Type": "application/json"}


def json_bytes(body: bytes, status: int = 200) -> web.Response:
    """An answer that is JSON already."""
    return web.Response(body=body, status=status, headers=_HEADERS)


def json_response(value: Any, status: int = 200) -> web.Response:
    return json_bytes(orjson.dumps(value), status)


def error_response(error: ServingError) -> web.Response:
    """``{"error": "..."}`` with the status of the error's code (TF Serving's form)."""
    # What a client sent may hold lone surrogates, which are no text that JSON could carry.
    message = error.message.encode("utf-8", "replace").decode()
    response = json_response({"error": message}, error.code.http_status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return response
