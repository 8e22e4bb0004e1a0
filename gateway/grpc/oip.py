"""The Open Inference Protocol over gRPC: GRPCInferenceService, with Triton's extensions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from gateway.grpc.calls import Answer, Calls, Rpc, read_message
from gateway.grpc.oip_infer import ModelInfer
from gateway.grpc.oip_models import ModelMethods
from gateway.grpc.oip_settings import SettingMethods
from gateway.grpc.oip_stream import StreamInfer
from gateway.oip.service import OipService
from gateway.protos.triton import grpc_service_pb2, pool

SERVICE = "inference.GRPCInferenceService"

Method = Callable[[Any], Awaitable[Message]]
"""From a call's request to its answer."""

_DESCRIPTOR = grpc_service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]


class GrpcInferenceService:
    """The service, for a ``GrpcServer``."""

    def __init__(self, calls: Calls, oip: OipService) -> None:
        self._calls = calls
        self._infer = ModelInfer(oip)
        self._stream = StreamInfer(calls, self._infer, oip.inference)
        self._methods = _methods(ModelMethods(oip), SettingMethods(oip))

    @property
    def pool(self) -> DescriptorPool:
        return pool.Default()

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        answers = {name: _answer(name, method) for name, method in self._methods.items()}
        self._calls.add_service(server, SERVICE, {"ModelInfer": self._infer, **answers})
        stream = {"ModelStreamInfer": self._stream.handler()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, stream),))
        return (SERVICE,)


def _answer(name: str, method: Method) -> Answer:
    """``method``, which answers the call ``name``, between bytes."""
    kind = getattr(grpc_service_pb2, _DESCRIPTOR.methods_by_name[name].input_type.name)

    async def answer(data: bytes, rpc: Rpc) -> bytes:
        request = read_message(kind, data)
        rpc.model = _model_of(request)
        return (await method(request)).SerializeToString()

    return answer


def _model_of(request: Any) -> str:
    """The model that a request is about; nothing for one about the server or a memory region."""
    name: str = getattr(request, "model_name", "")
    if not name and hasattr(request, "version"):
        name = request.name
    return name


def _methods(models: ModelMethods, settings: SettingMethods) -> dict[str, Method]:
    return {
        "ServerLive": models.server_live,
        "ServerReady": models.server_ready,
        "ModelReady": models.model_ready,
        "ServerMetadata": models.server_metadata,
        "ModelMetadata": models.model_metadata,
        "ModelConfig": models.model_config,
        "ModelStatistics": models.model_statistics,
        "RepositoryIndex": models.repository_index,
        "RepositoryModelLoad": models.load,
        "RepositoryModelUnload": models.unload,
        "SystemSharedMemoryStatus": settings.memory_status,
        "SystemSharedMemoryRegister": settings.register_memory,
        "SystemSharedMemoryUnregister": settings.unregister_memory,
        "CudaSharedMemoryStatus": settings.cuda_memory_status,
        "CudaSharedMemoryRegister": settings.register_cuda_memory,
        "CudaSharedMemoryUnregister": settings.unregister_cuda_memory,
        "TraceSetting": settings.trace_setting,
        "LogSettings": settings.log_settings,
    }
