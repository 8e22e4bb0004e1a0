"""A gateway in this process that speaks gRPC, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import ArrayLike

from gateway.codecs.tensor_proto import array_of, tensor_proto
from gateway.grpc.server import GrpcServer
from gateway.protos import serving as messages
from gateway.protos.services import (
    MODEL_SERVICE,
    PREDICTION_SERVICE,
    ReloadConfigRequest,
    ReloadConfigResponse,
)
from tests.gateway.fake_backend import Content
from tests.gateway.serving import Client, serving_fakes

METHODS: Mapping[str, tuple[str, Any, Any]] = {
    "Predict": (PREDICTION_SERVICE, messages.PredictRequest, messages.PredictResponse),
    "Classify": (
        PREDICTION_SERVICE,
        messages.ClassificationRequest,
        messages.ClassificationResponse,
    ),
    "Regress": (PREDICTION_SERVICE, messages.RegressionRequest, messages.RegressionResponse),
    "MultiInference": (
        PREDICTION_SERVICE,
        messages.MultiInferenceRequest,
        messages.MultiInferenceResponse,
    ),
    "GetModelMetadata": (
        PREDICTION_SERVICE,
        messages.GetModelMetadataRequest,
        messages.GetModelMetadataResponse,
    ),
    "GetModelStatus": (
        MODEL_SERVICE,
        messages.GetModelStatusRequest,
        messages.GetModelStatusResponse,
    ),
    "HandleReloadConfigRequest": (MODEL_SERVICE, ReloadConfigRequest, ReloadConfigResponse),
}

TYPE_NAMES = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "object": "DT_STRING",
}


class GrpcClient:
    """Asks one gateway over gRPC; ``rest`` asks the same one over HTTP."""

    def __init__(self, rest: Client, channel: grpc.aio.Channel, server: GrpcServer, port: int):
        self.rest = rest
        self.channel = channel
        self.server = server
        self.port = port
        self.gateway = rest.gateway

    def call(self, method: str, request: Any, **options: Any) -> Any:
        """A call of ``METHODS``, with a message or its bytes; await it for the answer."""
        service, _, answer = METHODS[method]
        stub = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return stub(request, **options)

    async def predict(self, model: str, *x: float, **options: Any) -> list[float]:
        """The output ``y`` for the rows ``x`` of a model that has one input of this name."""
        answer = await self.call("Predict", predict_request(model, x=np.float32(x)), **options)
        values: list[float] = array_of(answer.outputs["y"]).tolist()
        return values

    async def refused(self, method: str, request: Any, **options: Any) -> tuple[str, str]:
        """Code and details of a call that must fail."""
        try:
            answer = await self.call(method, request, **options)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or ""
        raise AssertionError(f"answered: {answer}")


def predict_request(model: str, /, signature: str = "", **inputs: ArrayLike) -> Any:
    """Inputs as arrays of their own dtype."""
    request = messages.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        array = np.asarray(value)
        proto = tensor_proto(array, TYPE_NAMES[array.dtype.name])
        request.inputs[alias].CopyFrom(proto)
    return request


@asynccontextmanager
async def serving_grpc(
    root: Path, contents: Mapping[str, Content], **settings: Any
) -> AsyncIterator[GrpcClient]:
    """As ``serving_fakes``, over gRPC as well."""
    async with serving_fakes(root, contents, **settings) as rest, over_grpc(rest) as client:
        yield client


@asynccontextmanager
async def over_grpc(rest: Client) -> AsyncIterator[GrpcClient]:
    """Serve ``rest``'s gateway over gRPC on a free port."""
    server = rest.gateway.make_grpc_server()
    port = await server.listen("127.0.0.1", 0)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield GrpcClient(rest, channel, server, port)
    finally:
        await server.stop(0)
