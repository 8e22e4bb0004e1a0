"""The servers that the front benchmark compares, as makers of protocols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from aiohttp import web
from numpy.typing import NDArray

from batching import DevicePool, DeviceThread, InlineExecutor
from benchmarks.mock_transport import Connect
from gateway.app import Gateway
from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.config.settings import Settings

MODEL = "half_plus_two"
_NAME = "serving_default"


class EchoProtocol(asyncio.Protocol):
    """Answers before it has read: what the load itself costs."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)


class _FreeModel:
    """y = x / 2 + 2, for rows of any shape."""

    def __init__(self) -> None:
        x = TensorSpec("x", np.dtype(np.float32), "DT_FLOAT", (None, None))
        y = TensorSpec("y", np.dtype(np.float32), "DT_FLOAT", (None, None))
        self.signatures = {_NAME: Signature(_NAME, {"x": x}, {"y": y})}
        self.metadata: dict[str, Any] = {}

    def runner(self, signature: str, device: str) -> RunFunction:
        def run(inputs: Tensors) -> dict[str, NDArray[Any]]:
            return {"y": inputs["x"] * np.float32(0.5) + np.float32(2)}

        return run

    def close(self) -> None:
        """Holds nothing."""


class _FreeBackend:
    description = "a model that costs nothing"

    def devices(self) -> Sequence[str]:
        return ("cpu:0",)

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> _FreeModel:
        return _FreeModel()


@asynccontextmanager
async def free_gateway(folder: Path, pool: DevicePool, **more: Any) -> AsyncIterator[Gateway]:
    """A gateway with its model loaded, and ``more`` settings."""
    (folder / MODEL / "1").mkdir(parents=True, exist_ok=True)
    settings = Settings.model_validate(
        {
            "warmup": False,
            "file_system_poll_wait_seconds": 0.01,
            "models": {MODEL: {"base_path": str(folder / MODEL)}},
            **more,
        }
    )
    gateway = Gateway(settings, _FreeBackend(), pool)
    try:
        await gateway.manager.load_all()
        yield gateway
    finally:
        gateway.close()


@asynccontextmanager
async def gateway_front(
    folder: Path, *, hot_path: bool, device_thread: bool
) -> AsyncIterator[Connect]:
    """The whole gateway but for TensorFlow: batcher, metrics, and the device's thread if wanted."""
    executor = DeviceThread("cpu:0") if device_thread else InlineExecutor("cpu:0")
    async with free_gateway(folder, DevicePool([executor]), hot_path=hot_path) as gateway:
        server = gateway.make_server()
        try:
            yield server
        finally:
            gateway.close()
            await server.shutdown(0.1)


async def _predict(request: web.Request) -> web.Response:
    instances = orjson.loads(await request.read())["instances"]
    answer = orjson.dumps({"predictions": [[x / 2 + 2 for x in row] for row in instances]})
    return web.Response(body=answer, content_type="application/json")


@asynccontextmanager
async def bare_front() -> AsyncIterator[Connect]:
    """An aiohttp Application that parses and computes in Python: no model, no batching."""
    app = web.Application()
    app.router.add_post("/v1/models/{name}:predict", _predict)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    server = runner.server
    assert server is not None
    try:
        yield server
    finally:
        await runner.cleanup()
