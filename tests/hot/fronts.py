"""A gateway whose connections are wires."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.http.hot.server import HotServer
from gateway.http.listener import ConnectionServer
from gateway.models.servable import Servable
from tests.gateway.fake_backend import Content
from tests.gateway.serving import Client, serving_fakes, until
from tests.hot.wire import Wire


class Front:
    """One server of a gateway, without its port."""

    def __init__(self, client: Client, server: ConnectionServer) -> None:
        self.client = client
        self.gateway = client.gateway
        self.server = server

    def connect(self) -> Wire:
        return Wire(self.server)

    @property
    def aiohttp_requests(self) -> int:
        """How many requests aiohttp has seen."""
        assert isinstance(self.server, HotServer)
        return self.server.fallback.requests_count

    @property
    def in_flight(self) -> int:
        return self.gateway.router.in_flight

    @property
    def servable(self) -> Servable:
        latest = self.gateway.registry.models["m"].latest
        assert latest is not None
        return latest

    def waiting_rows(self) -> int:
        return self.client.waiting_rows("m")

    async def until_idle(self) -> None:
        await until(lambda: not self.in_flight)


@asynccontextmanager
async def front(
    root: Path, contents: Mapping[str, Content], *, hot_path: bool = True, **settings: Any
) -> AsyncIterator[Front]:
    """A gateway that serves ``contents``, see ``serving_fakes``."""
    async with serving_fakes(root, contents, hot_path=hot_path, **settings) as client:
        server = client.gateway.make_server()
        try:
            yield Front(client, server)
        finally:
            server.pre_shutdown()
            await server.shutdown(0.1)
