"""The standard health service (grpc.health.v1): SERVING while the models take requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.grpc.calls import Context

NAME = "grpc.health.v1.Health"

POLL_SECONDS = 0.1
"""How soon those who watch hear of a change."""

_Response = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """Every service is as ready as the models are. Lives on the event loop.

    Services are known by their full names, by their short ones (TF Serving: ``PredictionService``)
    and, all of them together, by the empty name.
    """

    def __init__(self, services: Iterable[str], is_ready: Callable[[], bool]) -> None:
        full = list(services)
        self._known = {"", *full, *(name.rpartition(".")[2] for name in full)}
        self._is_ready = is_ready
        self._leaving = False

    def register(self, server: grpc.aio.Server) -> str:
        """Add the service to ``server``; its full name."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)
        return NAME

    def leave(self) -> None:
        """NOT_SERVING from now on, and for ever."""
        self._leaving = True

    async def Check(self, request: Any, context: Context) -> Any:  # noqa: N802 - gRPC's name
        if request.service not in self._known:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _Response(status=self._status(request.service))

    async def Watch(self, request: Any, context: Context) -> None:  # noqa: N802 - gRPC's name
        """Tell the status now, and again whenever it changes. Ends with the server."""
        told: int | None = None
        while True:
            leaving, status = self._leaving, self._status(request.service)
            if status != told:
                await context.write(_Response(status=status))
                told = status
            # Also before the end: grpc.aio's clients lose a last message that they are not reading.
            await asyncio.sleep(POLL_SECONDS)
            if leaving:
                return

    def _status(self, service: str) -> int:
        if service not in self._known:
            return int(_Response.SERVICE_UNKNOWN)
        ready = self._is_ready() and not self._leaving
        return int(_Response.SERVING if ready else _Response.NOT_SERVING)
