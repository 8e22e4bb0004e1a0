"""A gateway in this process on a free port, and clients of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import Gateway
from gateway.backends.base import Backend
from gateway.config.settings import Settings
from gateway.http.listener import Listener
from tests.gateway.fake_backend import Content, FakeBackend

PATIENCE_SECONDS = 20.0
"""After so long something that must happen has not happened; no test passes by waiting for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The message of an error answer, which has nothing else."""
        answer = self.json
        assert list(answer) == ["error"], answer
        assert self.headers["Content-Type"].startswith("application/json")
        return str(answer["error"])


class Client:
    """Asks one gateway."""

    def __init__(self, gateway: Gateway, port: int, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.session = session

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, self.url + path, **options) as response:
            return Answer(response.status, await response.read(), response.headers)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def predict(self, model: str, body: Any, **options: Any) -> Answer:
        """``model`` may have ``/versions/N`` behind it; ``body`` is bytes or becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.ask("POST", f"/v1/models/{model}:predict", data=data, **options)

    async def raw(self, *pieces: bytes) -> bytes:
        """What the server answers to ``pieces`` until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await reader.read()
        finally:
            writer.close()

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of ``name`` that have ``labels``."""
        text = (await self.get("/metrics")).body.decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def waiting_rows(self, model: str, signature: str = "serving_default") -> int:
        """Rows in the model's queue."""
        entry = self.gateway.registry.models[model]
        assert entry.latest is not None
        return entry.latest.queues[signature].batcher.statistics().waiting_rows


async def until(condition: Callable[[], bool]) -> None:
    """Let everything else go on until ``condition`` holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(
    settings: Settings, backend: Backend, *, load: bool = True
) -> AsyncIterator[Client]:
    """Serve on a free port; without ``load`` the caller loads the models."""
    gateway = Gateway(settings, backend)
    listener = Listener(gateway.make_server(), "127.0.0.1", 0)
    port = await listener.start()
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            if load:
                await gateway.manager.load_all()
            yield Client(gateway, port, session)
    finally:
        if isinstance(backend, FakeBackend):
            backend.open_valves()
        gateway.close()
        await listener.close()


def folders(root: Path, *paths: str) -> Path:
    """``root`` with an empty folder for each of ``NAME/VERSION``."""
    for path in paths:
        (root / path).mkdir(parents=True, exist_ok=True)
    return root


@asynccontextmanager
async def serving_fakes(
    root: Path,
    contents: Mapping[str, Content],
    *,
    devices: tuple[str, ...] = ("cpu:0",),
    models: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Client]:
    """Serve ``contents`` (by ``NAME`` or ``NAME/VERSION``) with ``models`` as their settings."""
    paths = [key if "/" in key else f"{key}/1" for key in contents]
    folders(root, *paths)
    names = dict.fromkeys(path.partition("/")[0] for path in paths)
    tables = {n: {"base_path": str(root / n), **(models or {}).get(n, {})} for n in names}
    # The folders are brand-new: do not wait a second to see whether they are still being written.
    quick = {"warmup": False, "file_system_poll_wait_seconds": 0.01}
    chosen = Settings.model_validate({**quick, **settings, "models": tables})
    async with serving(chosen, FakeBackend(contents, devices)) as client:
        yield client
