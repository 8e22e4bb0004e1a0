"""The calls beside inference: JSON in, JSON out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from gateway.codecs.json_parse import parse_object
from gateway.codecs.json_text import quote
from gateway.errors import invalid_argument
from gateway.http.body import read_body
from gateway.http.oip.paths import Target
from gateway.http.responses import json_bytes, json_response
from gateway.oip.service import OipService

MAX_BODY_BYTES = 1024 * 1024
"""Of a request that is no inference."""

Members = Mapping[str, Any]


class JsonCalls:
    """By call name, all but ``ModelInfer``. The handlers raise ServingError."""

    def __init__(self, service: OipService, timeout: float) -> None:
        """``timeout`` in seconds, for a body to arrive."""
        self._service = service
        self._timeout = timeout
        self._without_body: Mapping[str, Callable[[Target], Any]] = {
            "ServerMetadata": lambda target: service.server_metadata(),
            "ModelMetadata": lambda target: service.model_metadata(
                target.model, target.version, target.signature_name
            ),
            "ModelConfig": lambda target: service.model_config(
                target.model, target.version, target.signature_name
            ),
            "ModelStatistics": lambda target: service.statistics(target.model, target.version),
            "TraceSetting": lambda target: service.trace_settings(target.model),
            "LogSettings": lambda target: service.log_settings(),
            "SystemSharedMemoryStatus": lambda target: service.shared_memory_status(target.region),
            "CudaSharedMemoryStatus": lambda target: service.cuda_shared_memory_status(
                target.region
            ),
        }
        self._health: Mapping[str, Callable[[Target], web.Response]] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
        }
        self._with_body: Mapping[str, Callable[[Target, Members], Awaitable[Any]]] = {
            "RepositoryIndex": self._repository_index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
            "TraceSettingUpdate": self._update_trace,
            "LogSettingsUpdate": self._update_log,
            "SystemSharedMemoryRegister": self._register,
            "SystemSharedMemoryUnregister": self._unregister,
            "CudaSharedMemoryRegister": self._register_cuda,
            "CudaSharedMemoryUnregister": self._unregister_cuda,
        }

    async def __call__(self, request: web.BaseRequest, target: Target) -> web.Response:
        health = self._health.get(target.call)
        if health is not None:
            return health(target)
        describe = self._without_body.get(target.call)
        if describe is not None:
            return json_response(describe(target))
        body = await read_body(request, MAX_BODY_BYTES, self._timeout)
        members = parse_object(body) if body.strip() else {}
        answer = await self._with_body[target.call](target, members)
        return json_bytes(b"") if answer is None else json_response(answer)

    # Health: the status is the answer, the body repeats it.

    def _server_live(self, target: Target) -> web.Response:
        return json_response({"live": self._service.server_live()})

    def _server_ready(self, target: Target) -> web.Response:
        ready = self._service.server_ready()
        return json_response({"live": True, "ready": ready}, 200 if ready else 400)

    def _model_ready(self, target: Target) -> web.Response:
        ready = self._service.model_ready(target.model, target.version)
        return json_response({"name": target.model, "ready": ready}, 200 if ready else 400)

    # The model repository.

    async def _repository_index(self, target: Target, members: Members) -> Any:
        ready = members.get("ready", False)
        if type(ready) is not bool:
            raise invalid_argument(f"ready must be true or false, got {quote(ready)}")
        return await self._service.repository_index(ready=ready)

    async def _load(self, target: Target, members: Members) -> None:
        await self._service.load_model(target.model, _parameters(members))

    async def _unload(self, target: Target, members: Members) -> None:
        await self._service.unload_model(target.model, _parameters(members))

    # Trace and log.

    async def _update_trace(self, target: Target, members: Members) -> Any:
        return self._service.update_trace_settings(members, target.model)

    async def _update_log(self, target: Target, members: Members) -> Any:
        return self._service.update_log_settings(members)

    # Shared memory.

    async def _register(self, target: Target, members: Members) -> None:
        key = members.get("key")
        if type(key) is not str:
            raise invalid_argument(f"key must be a string, got {quote(key)}")
        size, offset = members.get("byte_size"), members.get("offset", 0)
        for name, value in (("byte_size", size), ("offset", offset)):
            if type(value) is not int:
                raise invalid_argument(f"{name} must be a number of bytes, got {quote(value)}")
        await self._service.register_shared_memory(target.region, key, int(offset), int(size or 0))

    async def _unregister(self, target: Target, members: Members) -> None:
        self._service.unregister_shared_memory(target.region)

    async def _register_cuda(self, target: Target, members: Members) -> None:
        self._service.register_cuda_shared_memory(target.region)

    async def _unregister_cuda(self, target: Target, members: Members) -> None:
        self._service.unregister_cuda_shared_memory(target.region)


def _parameters(members: Members) -> Members:
    parameters = members.get("parameters", {})
    if type(parameters) is not dict:
        raise invalid_argument(f"parameters must be an object, got {quote(parameters)}")
    return parameters
