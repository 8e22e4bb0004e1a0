"""Every HTTP request's way to its handler, and every failure's way to an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.errors import Code, ServingError, not_found
from gateway.http.cors import allow_any_origin, preflight
from gateway.http.inference import InferenceHandler
from gateway.http.models import list_answer, metadata_answer, status_answer
from gateway.http.oip import OipDoor, is_oip_path
from gateway.http.paths import PREFIX, ModelPath, parse_model_path
from gateway.http.responses import code_of, error_response, json_response, refusal
from gateway.metrics import Metrics
from gateway.metrics.answered import AnsweredRequests
from gateway.models.registry import Registry
from gateway.tf_metrics import TfServingMetrics

Page = Callable[[], Awaitable[web.Response]]
"""A route with a fixed path, GET only."""

_DESCRIPTIONS: Mapping[str, Callable[[Registry, ModelPath], dict[str, Any]]] = {
    "status": status_answer,
    "metadata": metadata_answer,
    "list": list_answer,
}
_NO_PATH = ModelPath("", "")
"""Stands for a path that could not be read."""


class Router:
    """The handler of aiohttp's low-level server. Never raises but for a cancelled request."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        tf_metrics: TfServingMetrics,
        inference: InferenceHandler,
        pages: Mapping[str, Page],
        *,
        oip: OipDoor | None = None,
        cors: bool = False,
    ) -> None:
        """``oip`` answers what is under /v2. ``cors``: let web pages of any site use the APIs."""
        self._registry = registry
        self._metrics = metrics
        self._tf_metrics = tf_metrics
        self._answered = AnsweredRequests(metrics, tf_metrics)
        self._inference = inference
        self._pages = pages
        self._oip = oip
        self._cors = cors
        self.draining = False
        """Answers ask clients to close their connection."""
        self.in_flight = 0
        """Requests between their head and their answer."""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.in_flight += 1
        try:
            response = await self._answer(request)
        finally:
            self.in_flight -= 1
        if request.path.lower().startswith(PREFIX) or is_oip_path(request.path):
            self.add_common_headers(response)
        if self.draining:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            raw_path = request.raw_path
            if not raw_path.startswith("/"):  # absolute form, as to a proxy
                raw_path = request.rel_url.raw_path_qs
            if raw_path.lower().startswith(PREFIX) and raw_path not in self._pages:
                return await self._serving(request, raw_path)
            if self._oip is not None and is_oip_path(raw_path) and raw_path not in self._pages:
                return await self._open_inference(self._oip, request, raw_path)
            return await self._page(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return refusal(error, request.method)

    async def _open_inference(
        self, door: OipDoor, request: web.BaseRequest, raw_path: str
    ) -> web.Response:
        if request.method == "OPTIONS":
            return preflight(request)
        return await door(request, raw_path)

    async def _serving(self, request: web.BaseRequest, raw_path: str) -> web.Response:
        if request.method == "OPTIONS":
            return preflight(request)
        started = time.monotonic()
        path = _NO_PATH
        failure: Code | None = None
        try:
            path = parse_model_path(request.method, raw_path)
            describe = _DESCRIPTIONS.get(path.verb)
            if describe is not None:
                return json_response(describe(self._registry, path))
            return await self._inference(request, path)
        except asyncio.CancelledError:
            failure = Code.CANCELLED
            raise
        except Exception as error:
            failure = code_of(error)
            raise
        finally:
            self.count(path, failure, time.monotonic() - started)

    def add_common_headers(self, response: web.Response) -> None:
        """Add what every answer of an API has."""
        if self._cors:
            allow_any_origin(response)

    def count(self, path: ModelPath, failure: Code | None, seconds: float) -> None:
        """A request under /v1 is over; ``seconds`` since its head was there."""
        name = path.name if path.name in self._registry.models else ""
        if failure is None:
            self._answered.add(name, path.verb, seconds)
            return
        self._tf_metrics.request(name, failure.name, path.verb, seconds)
        if path is not _NO_PATH:
            self._metrics.requests(name, path.verb).record(failure.http_status, seconds)

    def count_answers(self, path: ModelPath, seconds: Sequence[float]) -> None:
        """As ``count``, for several that were answered."""
        name = path.name if path.name in self._registry.models else ""
        self._answered.add_all(name, path.verb, seconds)

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
