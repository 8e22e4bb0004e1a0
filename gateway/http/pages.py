"""The routes beside the models: probes and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.http.responses import json_response
from gateway.http.router import Page
from gateway.metrics import Metrics
from gateway.models.registry import ModelEntry, Registry
from gateway.tf_metrics import TfServingMetrics


def make_pages(
    registry: Registry,
    metrics: Metrics,
    tf_metrics: TfServingMetrics,
    monitoring_path: str,
    is_draining: Callable[[], bool],
) -> dict[str, Page]:
    """Handlers by path; an empty ``monitoring_path`` leaves TF Serving's metrics out."""

    async def livez() -> web.Response:
        # That the event loop gets here is the proof. Models have no say: a prober that kills a
        # loading server would never see it ready.
        return json_response({"status": "ok"})

    async def readyz() -> web.Response:
        return readiness(registry, draining=is_draining())

    async def prometheus() -> web.Response:
        text = await asyncio.to_thread(metrics.render)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def monitoring() -> web.Response:
        text = await asyncio.to_thread(tf_metrics.render)
        return web.Response(body=text, headers={"Content-Type": tf_metrics.content_type})

    pages: dict[str, Page] = {"/livez": livez, "/readyz": readyz, "/metrics": prometheus}
    if monitoring_path:
        pages[monitoring_path] = monitoring
    return pages


def readiness(registry: Registry, *, draining: bool) -> web.Response:
    """200 once every configured model is loaded and warm (or tried, without strict_readiness) and
    until the server stops, else 503 with what is missing."""
    waiting = {name: _problem(entry) for name, entry in registry.waiting().items()}
    ready = not waiting and not draining
    answer: dict[str, Any] = {"status": "ready" if ready else "not ready"}
    if draining:
        answer["reason"] = "the server is stopping"
    if waiting:
        answer["models"] = waiting
    return json_response(answer, 200 if ready else 503)


def _problem(entry: ModelEntry) -> str:
    problem = entry.problem()
    return problem.message if problem else "loading"
