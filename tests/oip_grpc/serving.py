"""A gateway in this process with the protocol's gRPC door, and Triton's clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc.aio as triton
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from tests.gateway.fake_backend import Content
from tests.gateway.serving import Client, serving_fakes

SERVICE = "/inference.GRPCInferenceService"


class Door:
    """A gateway's door of the protocol."""

    def __init__(self, rest: Client, port: int) -> None:
        self.rest = rest
        """The same gateway over TF Serving's REST."""
        self.gateway = rest.gateway
        self.address = f"127.0.0.1:{port}"
        self.client = triton.InferenceServerClient(self.address)
        self.channel = grpc.aio.insecure_channel(self.address)

    async def infer(self, model: str, *inputs: triton.InferInput, **options: Any) -> Any:
        """What Triton's client gives."""
        return await self.client.infer(model, list(inputs), **options)

    async def raw(self, method: str, request: bytes) -> bytes:
        """The bytes that the server answers to these bytes."""
        answer: bytes = await self.channel.unary_unary(f"{SERVICE}/{method}")(request)
        return answer

    async def refusal(self, method: str, request: bytes) -> tuple[grpc.StatusCode, str]:
        """Status and details of a call that must fail."""
        try:
            await self.raw(method, request)
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        raise AssertionError(f"{method} was answered")


def given(name: str, array: NDArray[Any]) -> triton.InferInput:
    """An input as Triton's client sends it."""
    found = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    found.set_data_from_numpy(array)
    return found


def x(*values: float) -> triton.InferInput:
    """The input of the models that tests serve most."""
    return given("x", np.array(values, np.float32))


@asynccontextmanager
async def opened(rest: Client) -> AsyncIterator[Door]:
    """The gRPC door of a gateway that serves."""
    server = rest.gateway.make_grpc_server()
    port = await server.listen("127.0.0.1", 0)
    await server.start()
    door = Door(rest, port)
    try:
        yield door
    finally:
        await door.channel.close()
        await door.client.close()
        await server.stop(0)


@asynccontextmanager
async def serving_oip(
    root: Path, contents: Mapping[str, Content], **options: Any
) -> AsyncIterator[Door]:
    """Serve ``contents`` as ``serving_fakes`` does."""
    async with serving_fakes(root, contents, **options) as rest, opened(rest) as door:
        yield door
