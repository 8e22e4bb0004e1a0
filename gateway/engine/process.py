"""An engine process: the server as it is alone, with the supervisor's orders instead of signals."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from gateway.app import Gateway
from gateway.config import ConfigError
from gateway.config.reload import ConfigSource
from gateway.config.settings import Settings
from gateway.engine.listener import EngineListener
from gateway.lifeline import Lifeline
from gateway.server import EXIT_CONFIG
from gateway.server import run as run_server


def run(lifeline: Lifeline) -> NoReturn:
    """Serve until the supervisor says that it is enough, or is gone."""
    start = lifeline.start
    source = ConfigSource(start["flags"], os.environ, Path.cwd())
    try:
        settings = source.load().settings
    except ConfigError as error:
        sys.stderr.write(f"tensorgate: {error}\n")
        raise SystemExit(EXIT_CONFIG) from error
    raise SystemExit(run_server(settings, source, lambda: Supervised(lifeline)))


class Supervised:
    """See ``gateway.server.Surroundings``."""

    def __init__(self, lifeline: Lifeline) -> None:
        self.reload_asked = asyncio.Event()
        self._lifeline = lifeline
        self._base: str = lifeline.start["base"]
        self._stop: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._gateway: Gateway | None = None
        self._listener: EngineListener | None = None
        self._draining: float | None = None
        """Seconds that the fronts have to drain, once they do."""
        lifeline.follow(self._order)

    async def prepare(self, settings: Settings) -> None:
        """The certificate is the fronts' business."""

    def make_listener(self, gateway: Gateway) -> EngineListener:
        self._gateway = gateway
        server, context = gateway.make_server(), gateway.make_link_context()
        port = self._lifeline.start["port"]
        self._listener = EngineListener(server, context, self._base, port)
        if self._draining is not None:
            self._drain(self._draining)
        return self._listener

    async def until_stop(self, settings: Settings) -> float:
        return await self._stop

    async def follow_files(self) -> None:
        """There are none."""

    def listening(self) -> None:
        self._lifeline.tell({"listening": True})

    def ready(self) -> None:
        self._lifeline.tell({"ready": True})

    def _order(self, message: dict[str, Any]) -> None:
        if "reload" in message:
            self.reload_asked.set()
        elif "drain" in message:
            self._drain(message["drain"])
        elif "stop" in message and not self._stop.done():
            self._stop.set_result(message["stop"])

    def _drain(self, seconds: float) -> None:
        """Not ready any more; the fronts finish what they have begun."""
        self._draining = seconds
        if self._gateway is not None and self._listener is not None:
            self._gateway.router.draining = True
            self._listener.prepare_to_stop(seconds)
