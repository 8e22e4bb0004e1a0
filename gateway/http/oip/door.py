"""Every request under /v2: from its line to its answer, whatever comes of it."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import web

from gateway.errors import Code, ServingError
from gateway.http.oip.calls import JsonCalls
from gateway.http.oip.infer import InferHandler
from gateway.http.oip.paths import Target, parse_path
from gateway.http.responses import error_response
from gateway.oip.service import OipService

logger = logging.getLogger(__name__)

_STATUS = {Code.ALREADY_EXISTS: 400, Code.CANCELLED: 400, Code.UNKNOWN: 400, Code.ABORTED: 400}
"""Where Triton's HTTP status is not TF Serving's."""


class OipDoor:
    """Never raises but for a cancelled request."""

    def __init__(self, service: OipService, *, max_body_bytes: int, timeout: float) -> None:
        """``timeout`` of a request in seconds."""
        self._inference = service.inference
        self._infer = InferHandler(service, max_body_bytes=max_body_bytes, timeout=timeout)
        self._calls = JsonCalls(service, timeout)

    async def __call__(self, request: web.BaseRequest, raw_path: str) -> web.Response:
        """The answer; errors are ``{"error": "..."}``."""
        started = time.monotonic()
        try:
            target = parse_path(request.method, raw_path)
        except ServingError as error:
            return _refusal(error)
        if not target.call:
            return _wrong_method(target, request.method)
        failure: Code | None = None
        try:
            if target.call == "ModelInfer":
                return await self._infer(request, target)
            return await self._calls(request, target)
        except asyncio.CancelledError:
            failure = Code.CANCELLED
            raise
        except ServingError as error:
            failure = error.code
            return _refusal(error)
        except Exception:
            failure = Code.INTERNAL
            logger.exception("request failed", extra={"call": target.call})
            return _refusal(ServingError(Code.INTERNAL, "internal error"))
        finally:
            seconds = time.monotonic() - started
            self._inference.count(target.call, target.model, failure, seconds, "REST")


def _refusal(error: ServingError) -> web.Response:
    response = error_response(error)
    response.set_status(_STATUS.get(error.code, error.code.http_status))
    return response


def _wrong_method(target: Target, method: str) -> web.Response:
    allowed = ", ".join(target.allowed)
    response = error_response(
        ServingError(Code.UNIMPLEMENTED, f"{method[:16]} is not allowed here, but {allowed}")
    )
    response.set_status(405)
    response.headers["Allow"] = allowed
    return response
