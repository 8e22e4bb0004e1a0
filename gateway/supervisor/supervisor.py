"""Starts fronts and engine, starts them again when they die, and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from gateway.config.settings import Settings
from gateway.front.settings import FrontSettings
from gateway.http.listener import ABANDON_SECONDS, KEEPALIVE_SECONDS
from gateway.supervisor.child import Child, Report
from gateway.supervisor.restarts import Restarts
from gateway.supervisor.sockets import close_sockets

logger = logging.getLogger(__name__)

ENGINE_MODULE, FRONT_MODULE = "gateway.engine", "gateway.front"

_ENGINE = "the engine"

EXIT_CRASHED = 6
_FINAL_CODES = frozenset({3, 4, 5})
"""An engine that was never ready says with these that there is no use in trying again."""
_LAST_SECONDS = 8.0
"""For an engine that was told to stop at once: its last answers, and the end of its logs."""


class GivenUp(Exception):
    """A process cannot be kept alive."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Supervisor:
    """One server. Lives on the event loop of a process that does nothing else."""

    def __init__(
        self, settings: Settings, flags: Mapping[str, str], sockets: list[list[socket.socket]]
    ) -> None:
        """``flags`` are those of the command line, which the engine reads again. ``sockets``
        listen already, a list for each front."""
        self._settings = settings
        self._flags = dict(flags)
        self._sockets = sockets
        self._port: int = sockets[0][0].getsockname()[1]
        self._place = f"tensorgate-{secrets.token_hex(16)}"
        self._engines_started = 0
        self._engine: Child | None = None
        self._engine_base = ""
        """Where an engine listens; empty while none does."""
        self._was_ready = False
        """An engine has loaded what can be loaded."""
        self._fronts: dict[int, Child] = {}
        self._stopping = asyncio.Event()
        """Nothing is started any more."""

    async def run(self, stop: Awaitable[object]) -> None:
        """Serve until ``stop`` is over, then drain. Raises GivenUp; whatever happens, no child is
        left."""
        keeping = [
            asyncio.create_task(self._keep(_ENGINE, self._start_engine)),
            *(
                asyncio.create_task(self._keep(f"front {number}", self._start_front(number)))
                for number in range(len(self._sockets))
            ),
        ]
        stopping = asyncio.ensure_future(stop)
        try:
            await asyncio.wait((stopping, *keeping), return_when=asyncio.FIRST_COMPLETED)
            for kept in keeping:
                if kept.done():
                    kept.result()
            await self._drain(keeping)
        finally:
            stopping.cancel()
            self._stopping.set()
            self._kill()
            await asyncio.gather(*keeping, return_exceptions=True)
            close_sockets(self._sockets)

    def reload(self) -> None:
        """Let the engine read its configuration again."""
        if self._engine is not None:
            self._engine.tell({"reload": True})

    # Keeping processes alive.

    async def _keep(self, name: str, start: Callable[[], Awaitable[Child]]) -> None:
        """Have one process of a kind run until the server stops. Raises GivenUp."""
        restarts = Restarts()
        while not self._stopping.is_set():
            child = await start()
            if self._stopping.is_set():
                child.kill()
            code = await child.wait()
            self._ended(child)
            if name == _ENGINE and code in _FINAL_CODES and not self._was_ready:
                raise GivenUp(code, "")
            if not self._stopping.is_set():
                await self._pause(name, code, restarts)

    async def _pause(self, name: str, code: int, restarts: Restarts) -> None:
        """Wait before a process that died is started again, but not when all are to stop. Raises
        GivenUp."""
        reason = f"signal {-code}" if code < 0 else f"exit code {code}"
        delay = restarts.died(time.monotonic())
        if delay is None:
            raise GivenUp(EXIT_CRASHED, f"{name} does not stay alive: {reason}")
        logger.error(
            "a process died and is started again",
            extra={"child": name, "reason": reason, "delay": f"{delay:g} s"},
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()

    async def _start_engine(self) -> Child:
        self._engines_started += 1
        # A name of its own: who looks for this one must not find the one before.
        base = f"{self._place}-{self._engines_started}"
        order = {"flags": self._flags, "base": base, "port": self._port}

        def report(child: Child, said: Report) -> None:
            if "listening" in said and child is self._engine:
                self._engine_base = base
                for front in self._fronts.values():
                    front.tell({"engine": base})
            self._was_ready = self._was_ready or "ready" in said

        self._engine = await Child.start(ENGINE_MODULE, order, report)
        return self._engine

    def _start_front(self, number: int) -> Callable[[], Awaitable[Child]]:
        async def start() -> Child:
            sockets = self._sockets[number]
            order = self._front_settings(number, sockets).as_json()
            front = await Child.start(FRONT_MODULE, order, _ignore, sockets)
            self._fronts[number] = front
            if self._engine_base != order["engine"]:
                front.tell({"engine": self._engine_base})
            return front

        return start

    def _front_settings(self, number: int, sockets: list[socket.socket]) -> FrontSettings:
        settings = self._settings
        return FrontSettings(
            number=number,
            sockets=tuple(listening.fileno() for listening in sockets),
            engine=self._engine_base,
            max_body_bytes=settings.max_body_bytes,
            timeout=settings.rest_api_timeout_in_ms / 1000,
            keepalive=KEEPALIVE_SECONDS,
            hot_path=settings.hot_path,
            server_timing=settings.server_timing,
            cors=settings.rest_api_enable_cors_support,
            ssl_certificate_file=settings.ssl_certificate_file,
            ssl_key_file=settings.ssl_key_file,
            ssl_client_ca_file=settings.ssl_client_ca_file,
            log_level=settings.log_level,
            log_format=settings.log_format,
        )

    def _ended(self, child: Child) -> None:
        if child is self._engine:
            self._engine, self._engine_base = None, ""
        self._fronts = {n: front for n, front in self._fronts.items() if front is not child}

    # The end.

    async def _drain(self, keeping: list[asyncio.Task[None]]) -> None:
        """Not ready; no new connections; the fronts answer what they have; then the engine ends.

        An engine that hangs is told to stop in time: it then refuses what it has, and the fronts
        still pass that on.
        """
        self._stopping.set()
        seconds = self._settings.drain_timeout_s
        end = time.monotonic() + seconds
        # A socket goes on collecting connections as long as anybody has it.
        close_sockets(self._sockets)
        for child in self._children():
            child.tell({"drain": seconds})
        await asyncio.wait(keeping[1:], timeout=seconds)
        if self._engine is not None:
            self._engine.tell({"stop": max(0.0, end - time.monotonic())})
        left = max(0.0, end - time.monotonic()) + ABANDON_SECONDS + _LAST_SECONDS
        _, hanging = await asyncio.wait(keeping, timeout=left)
        if hanging:
            logger.error("processes did not end and are killed", extra={"number": len(hanging)})

    def _kill(self) -> None:
        for child in self._children():
            child.kill()

    def _children(self) -> list[Child]:
        return [*self._fronts.values(), *([self._engine] if self._engine is not None else [])]


def _ignore(child: Child, report: Report) -> None:
    """Fronts have nothing to say that matters yet."""
