"""The calls of GRPCInferenceService about shared memory, tracing and logging."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import invalid_argument
from gateway.oip.service import OipService
from gateway.protos.triton.grpc_service_pb2 import (
    CudaSharedMemoryRegisterRequest,
    CudaSharedMemoryRegisterResponse,
    CudaSharedMemoryStatusRequest,
    CudaSharedMemoryStatusResponse,
    CudaSharedMemoryUnregisterRequest,
    CudaSharedMemoryUnregisterResponse,
    LogSettingsRequest,
    LogSettingsResponse,
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryRegisterResponse,
    SystemSharedMemoryStatusRequest,
    SystemSharedMemoryStatusResponse,
    SystemSharedMemoryUnregisterRequest,
    SystemSharedMemoryUnregisterResponse,
    TraceSettingRequest,
    TraceSettingResponse,
)

Memory = SystemSharedMemoryStatusResponse
CudaMemory = CudaSharedMemoryStatusResponse


class SettingMethods:
    """Each method answers one call's request. They raise ServingError."""

    def __init__(self, oip: OipService) -> None:
        self._oip = oip

    async def memory_status(self, request: SystemSharedMemoryStatusRequest) -> Memory:
        response = Memory()
        for region in self._oip.shared_memory_status(request.name):
            response.regions[region["name"]].MergeFrom(Memory.RegionStatus(**region))
        return response

    async def register_memory(
        self, request: SystemSharedMemoryRegisterRequest
    ) -> SystemSharedMemoryRegisterResponse:
        await self._oip.register_shared_memory(
            request.name, request.key, request.offset, request.byte_size
        )
        return SystemSharedMemoryRegisterResponse()

    async def unregister_memory(
        self, request: SystemSharedMemoryUnregisterRequest
    ) -> SystemSharedMemoryUnregisterResponse:
        self._oip.unregister_shared_memory(request.name)
        return SystemSharedMemoryUnregisterResponse()

    async def cuda_memory_status(self, request: CudaSharedMemoryStatusRequest) -> CudaMemory:
        response = CudaMemory()
        for region in self._oip.cuda_shared_memory_status(request.name):
            response.regions[region["name"]].MergeFrom(CudaMemory.RegionStatus(**region))
        return response

    async def register_cuda_memory(
        self, request: CudaSharedMemoryRegisterRequest
    ) -> CudaSharedMemoryRegisterResponse:
        self._oip.register_cuda_shared_memory(request.name)
        return CudaSharedMemoryRegisterResponse()

    async def unregister_cuda_memory(
        self, request: CudaSharedMemoryUnregisterRequest
    ) -> CudaSharedMemoryUnregisterResponse:
        self._oip.unregister_cuda_shared_memory(request.name)
        return CudaSharedMemoryUnregisterResponse()

    async def trace_setting(self, request: TraceSettingRequest) -> TraceSettingResponse:
        """Without settings in the request nothing changes."""
        if request.settings:
            changes = {key: _given(value.value) for key, value in request.settings.items()}
            settings = self._oip.update_trace_settings(changes, request.model_name)
        else:
            settings = self._oip.trace_settings(request.model_name)
        response = TraceSettingResponse()
        for key, value in settings.items():
            values = [value] if isinstance(value, str) else value
            response.settings[key].value.extend(values)
        return response

    async def log_settings(self, request: LogSettingsRequest) -> LogSettingsResponse:
        """Without settings in the request nothing changes."""
        if request.settings:
            settings = self._oip.update_log_settings(_log_settings(request))
        else:
            settings = self._oip.log_settings()
        response = LogSettingsResponse()
        for key, value in settings.items():
            if isinstance(value, bool):
                response.settings[key].bool_param = value
            elif isinstance(value, int):
                response.settings[key].uint32_param = value
            else:
                response.settings[key].string_param = value
        return response


def _given(values: Sequence[str]) -> str | list[str] | None:
    """None clears a setting."""
    if not values:
        return None
    return values[0] if len(values) == 1 else list(values)


def _log_settings(request: LogSettingsRequest) -> dict[str, bool | int | str]:
    settings: dict[str, bool | int | str] = {}
    for key, value in request.settings.items():
        kind = value.WhichOneof("parameter_choice")
        if kind is None:
            raise invalid_argument(f"the setting '{key[:256]}' has no value")
        settings[key] = getattr(value, kind)
    return settings
