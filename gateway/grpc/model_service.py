"""TF Serving's ModelService: states of versions, and a new set of models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc

from gateway.errors import ServingError, invalid_argument
from gateway.grpc.calls import Calls, Rpc, read_message
from gateway.models.registry import Registry
from gateway.models.versions import VersionRecord
from gateway.protos.services import (
    MODEL_SERVICE,
    ReloadConfigRequest,
    ReloadConfigResponse,
)
from gateway.protos.serving import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
)
from gateway.protos.tensors import POOL

Reload = Callable[[Any], Awaitable[Mapping[str, ServingError]]]
"""Serves the models of a ModelServerConfig and no others; once their loads have ended: why they do
not serve, by model. Raises ServingError, and changes nothing, when it cannot."""

CounterValue = Callable[[str], int]
"""The value of one of TF Serving's counters, all its labels together; 0 for an unknown name."""


class ModelService:
    """GetModelStatus and HandleReloadConfigRequest."""

    pool = POOL

    def __init__(
        self, registry: Registry, calls: Calls, reload: Reload, counter: CounterValue
    ) -> None:
        self._registry = registry
        self._calls = calls
        self._reload = reload
        self._counter = counter

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the methods to ``server``; the service's name."""
        methods = {
            "GetModelStatus": self._status,
            "HandleReloadConfigRequest": self._reload_config,
        }
        self._calls.add_service(server, MODEL_SERVICE, methods)
        return [MODEL_SERVICE]

    async def _status(self, request: bytes, rpc: Rpc) -> bytes:
        """A label is ignored, as TF Serving does: all versions are listed."""
        message = read_message(GetModelStatusRequest, request)
        if not message.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = message.model_spec
        rpc.model = spec.name
        version = spec.version.value if spec.HasField("version") else None
        answer = GetModelStatusResponse()
        for record in self._registry.status(spec.name, version):
            _write_status(answer.model_version_status.add(), record)
        data: bytes = answer.SerializeToString()
        return data

    async def _reload_config(self, request: bytes, rpc: Rpc) -> bytes:
        message = read_message(ReloadConfigRequest, request)
        if message.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        before = {name: self._counter(name) for name in message.metric_names}
        problems = await self._reload(message.config)
        if problems:
            raise _not_available(problems)
        answer = ReloadConfigResponse()
        answer.status.SetInParent()
        for name, value in before.items():
            answer.metric.add(name=name, int64_value_increase=self._counter(name) - value)
        data: bytes = answer.SerializeToString()
        return data


def _write_status(status: Any, record: VersionRecord) -> None:
    status.version = record.version
    status.state = ModelVersionStatus.State.Value(record.state.value)
    status.status.SetInParent()
    if record.error is not None:
        status.status.error_code = record.error.code.grpc_code
        status.status.error_message = record.error.message


def _not_available(problems: Mapping[str, ServingError]) -> ServingError:
    """The first model's code, and what is wrong with each."""
    reasons = "; ".join(f"{name}: {problem.message}" for name, problem in problems.items())
    first = next(iter(problems.values()))
    return ServingError(
        first.code, f"{len(problems)} model(s) did not become available: {{{reasons}}}"
    )
