"""Where the settings want gRPC to be served."""

from __future__ import annotations

import asyncio
import logging

from gateway.app import Gateway
from gateway.config.settings import Settings
from gateway.grpc.credentials import GrpcTls
from gateway.grpc.server import GrpcServer
from gateway.http.listener import PortBusyError

logger = logging.getLogger(__name__)


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
        """Raises PortBusyError, OSError or ConfigError.

        Who did not ask for a port does without gRPC where the usual one is taken: a second server
        on a host needs no more than a REST port of its own.
        """
        settings = self._settings
        if not settings.port and not settings.grpc_socket_path:
            return
        server = self._gateway.make_grpc_server()
        places = []
        if settings.port:
            places += await self._listen_if_free(server)
        if settings.grpc_socket_path:
            server.listen_on_socket(settings.grpc_socket_path)
            places.append(f"unix:{settings.grpc_socket_path}")
        if not places:
            return
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

    async def _listen_if_free(self, server: GrpcServer) -> list[str]:
        try:
            return [await self._listen(server)]
        except PortBusyError as error:
            if "port" in self._settings.model_fields_set:
                raise
            logger.warning(
                "gRPC is not served; --port chooses another", extra={"reason": str(error)}
            )
            return []

    async def _listen(self, server: GrpcServer) -> str:
        settings = self._settings
        if settings.ssl_config_file:
            self.tls = await asyncio.to_thread(GrpcTls, settings.ssl_config_file)
        credentials = self.tls.credentials if self.tls is not None else None
        port = await server.listen(settings.host, settings.port, credentials)
        host = settings.host if settings.host not in ("", "0.0.0.0", "::") else "localhost"  # noqa: S104
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
