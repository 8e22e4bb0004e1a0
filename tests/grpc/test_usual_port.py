"""The port that nobody asked for may be somebody else's."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.config.settings import Settings
from gateway.grpc.listener import GrpcListener
from gateway.http.listener import PortBusyError


class TakenPort:
    """A server whose port another process has."""

    started = False

    async def listen(self, host: str, port: int, credentials: object) -> int:
        raise PortBusyError(f"port {port} of {host} is in use")

    async def start(self) -> None:
        self.started = True


def listener(server: TakenPort, **settings: Any) -> GrpcListener:
    gateway: Any = SimpleNamespace(make_grpc_server=lambda: server)
    return GrpcListener(gateway, Settings.model_validate(settings))


async def test_the_usual_port_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    server = TakenPort()
    made = listener(server)
    with caplog.at_level(logging.WARNING, "gateway.grpc.listener"):
        await made.start()
    assert not server.started
    assert not made.places
    assert "gRPC is not served" in caplog.text
    await made.stop()


async def test_a_port_that_was_asked_for_is_needed() -> None:
    with pytest.raises(PortBusyError, match="port 8500 of localhost is in use"):
        await listener(TakenPort(), port=8500).start()
