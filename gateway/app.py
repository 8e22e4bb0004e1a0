"""The composition root: the only place that knows every part."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any

from aiohttp import web

from batching import DevicePool
from gateway.backends.base import Backend
from gateway.config.errors import ConfigError
from gateway.config.grpc_settings import channel_arguments
from gateway.config.reload import ConfigSource
from gateway.config.replacement import with_models
from gateway.config.settings import Settings
from gateway.devices import choose_devices, start_pool
from gateway.engine.channel import Channels
from gateway.engine.link import LinkContext
from gateway.engine.mirror import Mirror
from gateway.errors import ServingError, invalid_argument
from gateway.exchange import Observer
from gateway.grpc.calls import Calls as GrpcCalls
from gateway.grpc.model_service import ModelService
from gateway.grpc.oip import GrpcInferenceService
from gateway.grpc.prediction import PredictionService
from gateway.grpc.server import GrpcOptions, GrpcServer
from gateway.http.apis import inference_apis
from gateway.http.call import Calls
from gateway.http.hot.answers import AnswerWriter
from gateway.http.hot.head import HeadReader
from gateway.http.hot.hold import Hold
from gateway.http.hot.request import CurrentRequest, RequestContext, Send
from gateway.http.hot.server import HotServer
from gateway.http.inference import InferenceHandler
from gateway.http.listener import KEEPALIVE_SECONDS, ConnectionServer
from gateway.http.oip import OipDoor
from gateway.http.pages import make_pages
from gateway.http.router import Router
from gateway.inference import Inference
from gateway.metrics import Metrics
from gateway.metrics.exposed import expose
from gateway.metrics.versions import version_states
from gateway.models.control import ModelControl
from gateway.models.environment import make_environment
from gateway.models.manager import ModelManager
from gateway.models.registry import Registry
from gateway.models.shadow import Shadow
from gateway.oip.control import NoModelControl
from gateway.oip.service import OipService
from gateway.oip.statistics import Statistics
from gateway.reload import Reloader
from gateway.request_log import RequestLog
from gateway.request_log.models import ModelLogs
from gateway.tf_metrics import TfServingMetrics

logger = logging.getLogger(__name__)


class _ProtocolLog(logging.LoggerAdapter[logging.Logger]):
    """What aiohttp says of requests that are no HTTP: a stranger must not fill the log."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        super().log(min(level, logging.DEBUG), msg, *args, **kwargs)


class Gateway:
    """One serving process. Make it on the running event loop."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        pool: DevicePool | None = None,
        source: ConfigSource | None = None,
    ) -> None:
        """``pool`` takes the place of a thread for each device; ``source`` is where ``settings``
        came from, to be read again."""
        self.settings = settings
        self.backend = backend
        self.registry = Registry(
            (settings.for_model(name) for name in settings.model_names()),
            allow_unavailable_labels=settings.allow_version_labels_for_unavailable_models,
            strict_readiness=settings.strict_readiness,
        )
        self.pool = pool or start_pool(choose_devices(backend, settings.devices))
        self.tf_metrics = TfServingMetrics()
        self._statistics = Statistics()
        self.metrics = Metrics(
            self.pool,
            version_states=lambda: version_states(self.registry),
            batch_observer=self.tf_metrics.batch,
            observer_of=lambda labels: self._statistics.observer(labels.model, labels.version),
        )
        environment = replace(
            make_environment(settings, backend, self.pool, self.metrics),
            on_load=self.tf_metrics.load,
            on_replay=self.tf_metrics.warmup,
        )
        self.manager = ModelManager(self.registry, environment)
        self.reloader = (
            Reloader(source, settings, self.apply, self.registry.configuration)
            if source is not None
            else None
        )
        self.shadow = Shadow(self.registry)
        self.request_log = RequestLog(on_logged=self.tf_metrics.request_logged)
        self._request_logs = ModelLogs(self.request_log)
        self.observers: list[Observer] = []
        """Who looks on at requests. Changes with the settings; each costs every request."""
        self._choose_observers()
        expose(self.metrics, self.shadow, self.request_log, self.registry)
        self._timeout = settings.rest_api_timeout_in_ms / 1000
        self._calls = Calls(self.registry, self.tf_metrics, self._timeout, self.observers)
        self._apis = inference_apis(check_method_names=settings.enable_signature_method_name_check)
        self._codec = ThreadPoolExecutor(1, thread_name_prefix="codec")
        self.inference = Inference(
            self.registry, self.metrics, self.tf_metrics, self._codec, self.observers
        )
        self.grpc_calls = GrpcCalls(self.inference)
        self.oip = OipService(
            self.inference,
            self._statistics,
            self._model_control(settings),
            devices=[executor.name for executor in self.pool.executors],
            is_draining=lambda: self.router.draining,
            allow_shared_memory=settings.allow_client_shm,
            max_input_bytes=settings.max_body_bytes,
        )
        self._one_change_at_a_time = asyncio.Lock()
        self.router = self._make_router(settings)

    def _make_router(self, settings: Settings) -> Router:
        inference = InferenceHandler(
            self._calls,
            self._apis,
            self._codec,
            max_body_bytes=settings.max_body_bytes,
            timeout=self._timeout,
            always_timing=settings.server_timing,
            check_method_names=settings.enable_signature_method_name_check,
        )
        return Router(
            self.registry,
            self.metrics,
            self.tf_metrics,
            inference,
            make_pages(
                self.registry,
                self.metrics,
                self.tf_metrics,
                settings.monitoring_path,
                lambda: self.router.draining,
            ),
            oip=OipDoor(self.oip, max_body_bytes=settings.max_body_bytes, timeout=self._timeout),
            cors=settings.rest_api_enable_cors_support,
        )

    def _model_control(self, settings: Settings) -> ModelControl | NoModelControl:
        explicit = settings.model_repository and settings.model_control_mode == "explicit"
        if self.reloader is None or not explicit:
            return NoModelControl()
        return ModelControl(self.registry, self.manager, self.reloader)

    def make_server(self) -> ConnectionServer:
        """What makes the protocol of each connection."""
        server = self._aiohttp_server()
        return self._hot_server(server) if self.settings.hot_path else server

    def make_link_context(self) -> LinkContext:
        """What takes requests from front processes."""
        check = self.settings.enable_signature_method_name_check
        mirror = Mirror(self.registry, check_method_names=check)
        channels = Channels(self.registry, mirror, self._apis["predict"])
        heads = HeadReader(self.settings.max_body_bytes)
        context = self._hot_context

        def make_turn(send: Send) -> CurrentRequest:
            return CurrentRequest(context, send)

        return LinkContext(channels, self.router, self._calls, self._codec, heads, make_turn)

    @cached_property
    def _hot_context(self) -> RequestContext:
        return RequestContext(
            router=self.router,
            calls=self._calls,
            api=self._apis["predict"],
            answers=AnswerWriter(self.router.add_common_headers),
            codec=self._codec,
            check_method_names=self.settings.enable_signature_method_name_check,
            hold=Hold(asyncio.get_running_loop()),
            always_timing=self.settings.server_timing,
        )

    def _hot_server(self, fallback: web.Server) -> HotServer:
        context = self._hot_context
        return HotServer(
            fallback,
            lambda connection: CurrentRequest(context, connection.send),
            context.hold,
            max_body_bytes=self.settings.max_body_bytes,
            timeout=self._timeout,
            keepalive=KEEPALIVE_SECONDS,
        )

    def _aiohttp_server(self) -> web.Server:
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

    def make_grpc_server(self) -> GrpcServer:
        """All gRPC services; it listens nowhere yet."""
        settings = self.settings
        services = (
            PredictionService(
                self.inference,
                self.grpc_calls,
                tensor_content=settings.enable_serialization_as_tensor_content,
                check_method_names=settings.enable_signature_method_name_check,
            ),
            ModelService(
                self.registry, self.grpc_calls, self.replace_models, self.tf_metrics.total
            ),
            GrpcInferenceService(self.grpc_calls, self.oip),
        )
        options = GrpcOptions(
            max_request_bytes=settings.max_body_bytes,
            health=settings.enable_grpc_healthcheck_service,
            reflection=settings.enable_grpc_reflection,
            channel_arguments=channel_arguments(settings.grpc_channel_arguments),
        )
        return GrpcServer(services, self.grpc_calls, lambda: self.registry.ready, options)

    async def replace_models(self, config: Any) -> Mapping[str, ServingError]:
        """Serve the models of a ModelServerConfig and no others. Returns once their loads have
        ended: why they do not serve, by model.

        Raises ServingError, and changes nothing, when that cannot be done.
        """
        async with self._one_change_at_a_time:
            try:
                settings = with_models(self.settings, config)
                await self._apply(settings)
            except ConfigError as error:
                raise invalid_argument(str(error)) from error
            self.registry.configuration.taken()
        return await self.manager.settle(settings.model_names())

    async def apply(self, settings: Settings) -> None:
        """Serve the models of ``settings`` from now on; its other settings stay as they were.

        Raises ServingError or ConfigError, and changes nothing, when that cannot be done.
        """
        async with self._one_change_at_a_time:
            await self._apply(settings)

    async def _apply(self, settings: Settings) -> None:
        await self.manager.check(settings)
        await self.open_request_logs(settings)
        self.manager.apply(settings)
        self.settings = settings
        self._choose_observers()

    async def open_request_logs(self, settings: Settings | None = None) -> None:
        """Open the logs that the settings ask for. Raises ConfigError, and leaves them as they
        were, when one cannot be written."""
        await self._request_logs.change(settings or self.settings)
        self._choose_observers()

    async def close_request_logs(self, seconds: float) -> None:
        """Write what still waits, for at most so many seconds."""
        if not await asyncio.to_thread(self.request_log.close, seconds):
            logger.warning("the end of the request log is lost")

    def _choose_observers(self) -> None:
        models = [entry.settings for entry in self.registry.models.values()]
        wanted: list[Observer] = []
        if any(model.shadow is not None for model in models):
            wanted.append(self.shadow)
        if self.request_log.in_use:
            wanted.append(self.request_log)
        self.observers[:] = wanted

    @property
    def in_flight(self) -> int:
        """Requests and calls between their head and their answer."""
        return self.router.in_flight + self.grpc_calls.in_flight

    async def drain(self) -> None:
        """Answer everything that was taken; new requests are refused by the batchers."""
        await self.manager.drain()

    def close(self) -> None:
        """Fail what is unanswered and stop the threads; a hung device is not waited for."""
        self.oip.close()
        self.manager.close()
        self._codec.shutdown(wait=False, cancel_futures=True)
        self.pool.close()
