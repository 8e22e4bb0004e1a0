"""The gRPC server: where it listens, what it serves, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.protobuf.descriptor_pool import DescriptorPool

from gateway.grpc.addresses import addresses_of, refuse_busy_port
from gateway.grpc.calls import Calls
from gateway.grpc.health import Health
from gateway.grpc.reflection import add_reflection

ChannelArgument = tuple[str, int | str]

_UNLIMITED = -1
_FOR_EVER = 1e9
LAST_CALLS_SECONDS = 0.2
"""How long calls are refused before connections are."""
LAST_WORDS_SECONDS = 0.5
"""How long answers that are there have to be sent, and clients to end their streams."""


class Service(Protocol):
    """One protocol's services."""

    @property
    def pool(self) -> DescriptorPool:
        """Describes the services and their messages, for reflection."""

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the methods to ``server``; full names of the services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcOptions:
    """How a server listens."""

    max_request_bytes: int
    health: bool = True
    reflection: bool = True
    channel_arguments: Sequence[ChannelArgument] = ()
    """gRPC core's own; the last of several with one name wins."""


class GrpcServer:
    """Make, start and stop it on one running event loop."""

    def __init__(
        self,
        services: Iterable[Service],
        calls: Calls,
        is_ready: Callable[[], bool],
        options: GrpcOptions,
    ) -> None:
        """``calls`` are those of the services; ``is_ready`` is what the health service answers."""
        self._calls = calls
        self._server = grpc.aio.server(options=_channel_arguments(options))
        pools = []
        names: list[str] = []
        for service in services:
            names += service.register(self._server)
            pools.append(service.pool)
        self._health = Health(names, is_ready)
        if options.health:
            names.append(self._health.register(self._server))
        if options.reflection:
            add_reflection(self._server, names, pools)
        self._leaving: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def listen(
        self, host: str, port: int, credentials: grpc.ServerCredentials | None = None
    ) -> int:
        """Add a port (0: any free one) on all addresses of ``host``; the port that was bound.
        Raises PortBusyError or OSError. Before ``start``."""
        for address in await addresses_of(host):
            refuse_busy_port(address, port)
            port = self._add(f"{address.bracketed}:{port}", credentials)
        return port

    def listen_on_socket(self, path: str) -> None:
        """Add a UNIX socket. Raises OSError when it cannot be made. Before ``start``."""
        self._add(f"unix:{path}", None)

    async def start(self) -> None:
        await self._server.start()

    def refuse(self) -> None:
        """From now on new calls are refused (UNAVAILABLE), soon new connections too, and the
        health service says so. Does not wait; ``stop`` afterwards."""
        self._health.leave()
        self._calls.refusing = True
        self._leaving = asyncio.create_task(self._leave())

    async def stop(self, seconds: float = LAST_WORDS_SECONDS) -> None:
        """Wait for the calls that run; those that still run after so many seconds, idle streams
        among them, are cancelled."""
        if self._leaving is not None:
            await self._leaving
        await self._server.stop(seconds)

    async def _leave(self) -> None:
        """Refuse connections too, but not at once: calls that gRPC has and did not hand over yet
        would be cut off, and their clients do not try again what was CANCELLED."""
        await asyncio.sleep(LAST_CALLS_SECONDS)
        self._stopping = asyncio.create_task(self._server.stop(_FOR_EVER))

    def _add(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        with contextlib.suppress(RuntimeError):
            if credentials is not None:
                return self._server.add_secure_port(address, credentials)
            return self._server.add_insecure_port(address)
        raise OSError(None, f"no gRPC on {address}")


def _channel_arguments(options: GrpcOptions) -> list[ChannelArgument]:
    chosen: dict[str, int | str] = {
        # Another server on the same port must be told of, not share its connections.
        "grpc.so_reuseport": 0,
        "grpc.max_receive_message_length": options.max_request_bytes,
        "grpc.max_send_message_length": _UNLIMITED,
    }
    chosen.update(options.channel_arguments)
    return list(chosen.items())
