"""Cross-origin requests of browsers, as TF Serving answers them (http_server)."""

from __future__ import annotations

import re

from aiohttp import web

from gateway.http.responses import json_bytes

_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_WEB_ORIGIN = re.compile("https?://")


def allow_any_origin(response: web.Response) -> None:
    """Let scripts of any site read the answer."""
    response.headers.update(_HEADERS)


def preflight(request: web.BaseRequest) -> web.Response:
    """The answer to OPTIONS: 200 for a web page's origin, else 400; without a body."""
    is_web = _WEB_ORIGIN.search(request.headers.get("Origin", "")) is not None
    return json_bytes(b"", 200 if is_web else 400)
