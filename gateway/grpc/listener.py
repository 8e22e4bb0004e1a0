"""Where the settings want gRPC to be served."""

from __future__ import annotations

import asyncio

from gateway.app import Gateway
from gateway.config.settings import Settings
from gateway.grpc.credentials import GrpcTls
from gateway.grpc.server import GrpcServer


class GrpcListener:
    """The gRPC server of a process, if it has one."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._server: GrpcServer | None = None
        self.tls: GrpcTls | None = None
        """Of the port, once it listens."""
        self.places = ""
        """Where it listens, for people; empty when it does not."""

    async def start(self) -> None:
        """Raises PortBusyError, OSError or ConfigError."""
        settings = self._settings
        if not settings.port and not settings.grpc_socket_path:
            return
        server = self._gateway.make_grpc_server()
        places = []
        if settings.port:
            places.append(await self._listen(server))
        if settings.grpc_socket_path:
            server.listen_on_socket(settings.grpc_socket_path)
            places.append(f"unix:{settings.grpc_socket_path}")
        await server.start()
        self._server, self.places = server, " and ".join(places)

    def refuse(self) -> None:
        """See ``GrpcServer.refuse``."""
        if self._server is not None:
            self._server.refuse()

    async def stop(self) -> None:
        """See ``GrpcServer.stop``."""
        if self._server is not None:
            await self._server.stop()

    async def _listen(self, server: GrpcServer) -> str:
        settings = self._settings
        if settings.ssl_config_file:
            self.tls = await asyncio.to_thread(GrpcTls, settings.ssl_config_file)
        credentials = self.tls.credentials if self.tls is not None else None
        port = await server.listen(settings.host, settings.port, credentials)
        host = settings.host if settings.host not in ("", "0.0.0.0", "::") else "localhost"  # noqa: S104
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
