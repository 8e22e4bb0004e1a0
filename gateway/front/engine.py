"""The engine as its fronts know it: where it is, whether it is there, and what it can do."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from gateway.front.link import EngineLink
from gateway.front.table import Table
from gateway.hop.sockets import connect, hop_path

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.05, 1.0


class Engine:
    """Keeps one link to the engine that the supervisor named last."""

    def __init__(self, timeout: float) -> None:
        """``timeout`` in seconds, of a request."""
        self.link: EngineLink | None = None
        """None while there is no engine: requests are refused then."""
        self.table = Table()
        """What the engine said that can be read here; empty without a link."""
        self.base = ""
        """Its place: the beginning of its sockets' names."""
        self._timeout = timeout
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False
        self._linked = asyncio.Event()

    def move_to(self, base: str) -> None:
        """An engine listens at ``base``: it is the one from now on. Requests that another one has
        already are answered by that one."""
        self.base = base
        self._connect()

    async def until_linked(self, seconds: float) -> bool:
        """Wait for a link, at most so many seconds; whether there is one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._linked.wait()
        return self.link is not None

    def close(self) -> None:
        """End the link, once what it has is answered, and look for no other."""
        self._closed = True
        self._stop_connecting()
        if self.link is not None:
            self.link.close()

    def _stop_connecting(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()

    def _connect(self) -> None:
        self._stop_connecting()
        self._connecting = asyncio.get_running_loop().create_task(self._connect_to(self.base))

    async def _connect_to(self, base: str) -> None:
        """Try until there is a link. An engine that died gets a successor at another place."""
        pause = FIRST_RETRY_SECONDS
        table = Table()
        while True:
            try:
                _, link = await connect(
                    lambda: EngineLink(table, self._timeout, self._lost), hop_path(base)
                )
            except OSError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_RETRY_SECONDS)
            else:
                break
        former, self.link, self.table = self.link, link, table
        self._linked.set()
        if former is not None:
            former.close()

    def _lost(self, link: EngineLink) -> None:
        if link is not self.link:
            return
        self.link = None
        self.table = Table()
        self._linked.clear()
        if not self._closed:
            # Why, the supervisor says.
            logger.debug("the engine is gone")
            self._connect()
