"""The composition root: the only place that knows every part."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web

from batching import DevicePool
from gateway.backends.base import Backend
from gateway.config.settings import Settings
from gateway.devices import choose_devices, start_pool
from gateway.http.pages import make_pages
from gateway.http.predict import PredictHandler
from gateway.http.router import Router
from gateway.metrics import Metrics
from gateway.models.manager import ModelManager
from gateway.models.registry import Registry

KEEPALIVE_SECONDS = 75.0


class _ProtocolLog(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp says of requests that are no HTTP: a stranger must not fill the log."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        super().log(min(level, logging.DEBUG), msg, *args, **kwargs)


class Gateway:
    """One serving process. Make it on the running event loop."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.settings = settings
        self.backend = backend
        self.registry = Registry(settings.for_model(name) for name in settings.model_names())
        self.pool: DevicePool = start_pool(choose_devices(backend, settings.devices))
        self.metrics = Metrics(self.pool)
        self.manager = ModelManager(self.registry, backend, self.pool, self.metrics)
        self._predict = PredictHandler(
            self.registry,
            max_body_bytes=settings.max_body_bytes,
            timeout=settings.rest_api_timeout_in_ms / 1000,
            always_timing=settings.server_timing,
        )
        self.router = Router(
            self.registry,
            self.metrics,
            self._predict,
            make_pages(self.registry, self.metrics, lambda: self.router.draining),
        )

    def make_server(self) -> web.Server:
        """aiohttp's low-level server: no Application, which would cost a third more a request."""
        loop = asyncio.get_running_loop()
        limit = self.settings.max_body_bytes

        def make_request(message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
            return web.BaseRequest(
                message, payload, protocol, writer, task, loop, client_max_size=limit
            )

        return web.Server(
            self.router,
            request_factory=make_request,
            # A client that is gone takes its rows out of the queue. Off by default in aiohttp.
            handler_cancellation=True,
            access_log=None,
            # Bodies are inflated by ``http.body``, within the limit and with answers to mistakes.
            auto_decompress=False,
            logger=_ProtocolLog(logging.getLogger("gateway.http.protocol"), {}),
            keepalive_timeout=KEEPALIVE_SECONDS,
        )

    async def drain(self) -> None:
        """Answer everything that was taken; new requests are refused by the batchers."""
        await self.manager.drain()

    def close(self) -> None:
        """Fail what is unanswered and stop the threads; a hung device is not waited for."""
        self.manager.close()
        self._predict.close()
        self.pool.close()
