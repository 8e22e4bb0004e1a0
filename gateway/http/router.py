"""Every HTTP request's way to its handler, and every failure's way to an answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway.errors import Code, ServingError, not_found
from gateway.http.models import metadata_answer, status_answer
from gateway.http.paths import PREFIX, ModelPath, parse_model_path
from gateway.http.predict import PredictHandler
from gateway.http.responses import error_response, json_response
from gateway.metrics import Metrics
from gateway.models.registry import Registry

logger = logging.getLogger(__name__)

Page = Callable[[], Awaitable[web.Response]]
"""A route with a fixed path, GET only."""


class Router:
    """The handler of aiohttp's low-level server. Never raises but for a cancelled request."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        predict: PredictHandler,
        pages: Mapping[str, Page],
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._predict = predict
        self._pages = pages
        self.draining = False
        """Answers ask clients to close their connection."""
        self.in_flight = 0
        """Requests between their head and their answer."""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.in_flight += 1
        try:
            response = await self._answer(request)
        finally:
            self.in_flight -= 1
        if self.draining:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            raw_path = request.raw_path
            if not raw_path.startswith("/"):  # absolute form, as to a proxy
                raw_path = request.rel_url.raw_path_qs
            if raw_path.lower().startswith(PREFIX):
                return await self._serving(request, raw_path)
            return await self._page(request)
        except ServingError as error:
            return error_response(error)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("request failed", extra={"method": request.method})
            return error_response(ServingError(Code.INTERNAL, "internal error"))

    async def _serving(self, request: web.BaseRequest, raw_path: str) -> web.Response:
        started = time.perf_counter()
        path = parse_model_path(request.method, raw_path)
        status = Code.INTERNAL.http_status
        try:
            response = await self._model(request, path)
            status = response.status
        except ServingError as error:
            status = error.code.http_status
            raise
        except asyncio.CancelledError:
            status = Code.CANCELLED.http_status
            raise
        finally:
            name = path.name if path.name in self._registry.models else ""
            counted = self._metrics.requests(name, path.verb)
            counted.record(status, time.perf_counter() - started)
        return response

    async def _model(self, request: web.BaseRequest, path: ModelPath) -> web.Response:
        if path.verb == "predict":
            return await self._predict(request, path)
        if path.verb == "status":
            return json_response(status_answer(self._registry, path))
        if path.verb == "metadata":
            return json_response(metadata_answer(self._registry, path))
        raise ServingError(Code.UNIMPLEMENTED, f"{path.verb} is not served by this version")

    async def _page(self, request: web.BaseRequest) -> web.Response:
        page = self._pages.get(request.path)
        if page is None:
            raise not_found(f"Not found: {request.path[:512]}")
        if request.method not in ("GET", "HEAD"):
            error = ServingError(Code.UNIMPLEMENTED, f"{request.path} answers GET only")
            return web.Response(
                body=error_response(error).body,
                status=405,
                content_type="application/json",
                headers={"Allow": "GET, HEAD"},
            )
        return await page()
