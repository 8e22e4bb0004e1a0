"""The calls of GRPCInferenceService about the server and its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict

from gateway.errors import Code, ServingError
from gateway.oip.service import OipService
from gateway.protos.triton.grpc_service_pb2 import (
    ModelConfigRequest,
    ModelConfigResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelRepositoryParameter,
    ModelStatisticsRequest,
    ModelStatisticsResponse,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)


class ModelMethods:
    """Each method answers one call's request. They raise ServingError."""

    def __init__(self, oip: OipService) -> None:
        self._oip = oip

    async def server_live(self, request: ServerLiveRequest) -> ServerLiveResponse:
        return ServerLiveResponse(live=self._oip.server_live())

    async def server_ready(self, request: ServerReadyRequest) -> ServerReadyResponse:
        return ServerReadyResponse(ready=self._oip.server_ready())

    async def model_ready(self, request: ModelReadyRequest) -> ModelReadyResponse:
        return ModelReadyResponse(ready=self._oip.model_ready(request.name, request.version))

    async def server_metadata(self, request: ServerMetadataRequest) -> ServerMetadataResponse:
        return ParseDict(self._oip.server_metadata(), ServerMetadataResponse())

    async def model_metadata(self, request: ModelMetadataRequest) -> ModelMetadataResponse:
        metadata = self._oip.model_metadata(request.name, request.version)
        return ParseDict(metadata, ModelMetadataResponse())

    async def model_config(self, request: ModelConfigRequest) -> ModelConfigResponse:
        config = self._oip.model_config(request.name, request.version)
        return ParseDict({"config": config}, ModelConfigResponse())

    async def model_statistics(self, request: ModelStatisticsRequest) -> ModelStatisticsResponse:
        statistics = self._oip.statistics(request.name, request.version)
        return ParseDict(statistics, ModelStatisticsResponse())

    async def repository_index(self, request: RepositoryIndexRequest) -> RepositoryIndexResponse:
        _check_repository(request.repository_name)
        index = await self._oip.repository_index(ready=request.ready)
        return ParseDict({"models": index}, RepositoryIndexResponse())

    async def load(self, request: RepositoryModelLoadRequest) -> RepositoryModelLoadResponse:
        _check_repository(request.repository_name)
        await self._oip.load_model(request.model_name, _values(request.parameters))
        return RepositoryModelLoadResponse()

    async def unload(self, request: RepositoryModelUnloadRequest) -> RepositoryModelUnloadResponse:
        _check_repository(request.repository_name)
        await self._oip.unload_model(request.model_name, _values(request.parameters))
        return RepositoryModelUnloadResponse()


def _check_repository(name: str) -> None:
    if name:
        raise ServingError(Code.UNIMPLEMENTED, "'repository_name' specification is not supported")


def _values(parameters: Mapping[str, ModelRepositoryParameter]) -> dict[str, Any]:
    """By name; None for a parameter without a value."""
    kinds = {key: value.WhichOneof("parameter_choice") for key, value in parameters.items()}
    return {key: getattr(parameters[key], kind) if kind else None for key, kind in kinds.items()}
