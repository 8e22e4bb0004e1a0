"""Fronts and an engine in the tests' own process, joined by real Unix sockets."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.config.settings import Settings
from gateway.engine.listener import EngineListener
from gateway.front.process import Front
from gateway.front.settings import FrontSettings
from gateway.http.listener import KEEPALIVE_SECONDS, Listener
from tests.gateway.fake_backend import Content
from tests.gateway.serving import Client, serving_fakes, until
from tests.hot.wire import Wire


def front_settings(settings: Settings, number: int = 0) -> FrontSettings:
    """What a supervisor would tell a front."""
    return FrontSettings(
        number=number,
        sockets=(),
        engine="",
        max_body_bytes=settings.max_body_bytes,
        timeout=settings.rest_api_timeout_in_ms / 1000,
        keepalive=KEEPALIVE_SECONDS,
        hot_path=settings.hot_path,
        server_timing=settings.server_timing,
        cors=settings.rest_api_enable_cors_support,
        ssl_certificate_file="",
        ssl_key_file="",
        ssl_client_ca_file="",
        log_level="info",
        log_format="json",
    )


class FrontClient(Client):
    """Asks one front of a gateway."""

    def __init__(self, client: Client, front: Front, listener: Listener, port: int) -> None:
        super().__init__(client.gateway, port, client.session)
        self.front = front
        self.listener = listener

    @property
    def relayed(self) -> int:
        """Open connections that the front only passes on."""
        return len(self._relays.connections)

    @property
    def _relays(self) -> Any:
        server: Any = self.front.server
        return getattr(server, "fallback", server)

    @property
    def connected(self) -> bool:
        return self.front.engine.link is not None

    async def until_told(self) -> None:
        """The front knows all that the engine has said so far."""
        generation = self.front.engine.table.generation
        self.gateway.registry.models["m"].refresh()
        await until(lambda: self.front.engine.table.generation != generation)

    def wire(self) -> Wire:
        """A connection whose segments and pauses are the test's."""
        return Wire(self.front.server)


class Rig:
    """An engine and its fronts."""

    def __init__(self, client: Client, base: str, engine: EngineListener) -> None:
        self.client = client
        """Asks the engine's gateway without a front."""
        self.base = base
        self.engine = engine
        self.fronts: list[FrontClient] = []

    @property
    def front(self) -> FrontClient:
        return self.fronts[0]

    @property
    def in_flight(self) -> int:
        return self.client.gateway.router.in_flight

    def waiting_rows(self) -> int:
        return self.client.waiting_rows("m")


@asynccontextmanager
async def engine_at(client: Client, base: str) -> AsyncIterator[EngineListener]:
    """The gateway of ``client`` as an engine."""
    gateway = client.gateway
    listener = EngineListener(gateway.make_server(), gateway.make_link_context(), base, 0)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close()


@asynccontextmanager
async def front_of(client: Client, number: int = 0) -> AsyncIterator[FrontClient]:
    """A front with a port; it is not told where the engine is."""
    front = Front(front_settings(client.gateway.settings, number))
    listener = Listener(front.server, "127.0.0.1", 0)
    port = await listener.start()
    made = FrontClient(client, front, listener, port)
    try:
        yield made
    finally:
        for relay in made._relays.connections:
            relay.abort()
        await listener.close()
        front.close()
        await until(lambda: front.engine.link is None)


def new_base() -> str:
    return f"tensorgate-test-{secrets.token_hex(8)}"


@asynccontextmanager
async def fronted(
    root: Path, contents: Mapping[str, Content], *, fronts: int = 1, **settings: Any
) -> AsyncIterator[Rig]:
    """Serve ``contents`` (see ``serving_fakes``) with fronts that have all they need to know."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(serving_fakes(root, contents, **settings))
        base = new_base()
        rig = Rig(client, base, await stack.enter_async_context(engine_at(client, base)))
        for number in range(fronts):
            front = await stack.enter_async_context(front_of(client, number))
            rig.fronts.append(front)
            front.front.engine.move_to(base)
        names = list(client.gateway.registry.models)
        for front in rig.fronts:
            table = front.front.engine
            await until(lambda table=table: table.table.generation >= len(names))
        # What a test leaves waiting must not outlive it.
        stack.callback(client.gateway.backend.open_valves)  # type: ignore[attr-defined]
        yield rig


async def ask(port: int, body: bytes = b'{"instances":[1,2]}') -> tuple[int, bytes]:
    """A predict request on a connection of its own."""
    url = f"http://127.0.0.1:{port}/v1/models/m:predict"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
        return response.status, await response.read()
