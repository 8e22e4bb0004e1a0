"""The configuration read again while serving: taken whole, or not at all."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gateway.config import ConfigError, Loaded
from gateway.config.reload import (
    ConfigSource,
    ModelChange,
    server_changes,
    with_server_settings_of,
)
from gateway.config.settings import Settings
from gateway.config.status import ConfigStatus
from gateway.errors import ServingError

logger = logging.getLogger(__name__)


class Reloader:
    """Follows the files of the configuration. Lives on the event loop; files are read on threads.

    ``apply`` brings the gateway to new settings; it raises ConfigError or ServingError and changes
    nothing when it cannot.
    """

    def __init__(
        self,
        source: ConfigSource,
        settings: Settings,
        apply: Callable[[Settings], Awaitable[None]],
        status: ConfigStatus,
    ) -> None:
        self._source = source
        self._settings = settings
        self._apply = apply
        self._status = status
        self._one_at_a_time = asyncio.Lock()

    async def follow(self, asked: asyncio.Event, seconds: float) -> None:
        """Reload whenever ``asked`` is set, and when a file has changed, looking every ``seconds``
        (0: never). Runs until cancelled."""
        while True:
            try:
                async with asyncio.timeout(seconds or None):
                    await asked.wait()
            except TimeoutError:
                if not await asyncio.to_thread(self._source.changed):
                    continue
            asked.clear()
            await self.reload()

    async def reload(self) -> bool:
        """Read the configuration and put it in force; whether that was done. Never raises: what is
        wrong is logged and stands in the status."""
        async with self._one_at_a_time:
            try:
                await self._take()
            except (ConfigError, ServingError) as error:
                self._refused(str(error))
            except Exception:
                logger.exception("unexpected failure of a reload")
                self._refused("internal error, see the log")
            else:
                return True
            return False

    async def change(self, change: ModelChange) -> Loaded:
        """Put other models of the repository in force, with all of the configuration as it is now.
        Raises ConfigError or ServingError, and changes nothing, when that cannot be done."""
        async with self._one_at_a_time:
            return await self._take(change)

    @property
    def repository_names(self) -> frozenset[str]:
        """Models of the repository, as the last look found them."""
        return self._source.repository_names

    async def look(self) -> None:
        """Look which models the repository has. Raises ConfigError when it cannot be read."""
        async with self._one_at_a_time:
            await asyncio.to_thread(self._source.look)

    async def _take(self, change: ModelChange | None = None) -> Loaded:
        loaded = await asyncio.to_thread(self._source.load, change)
        settings = with_server_settings_of(self._settings, loaded.settings, loaded.origins)
        await self._apply(settings)
        self._source.keep(loaded)
        for name in server_changes(self._settings, loaded.settings):
            logger.warning("a setting changes with a restart only", extra={"setting": name})
        self._settings = settings
        self._status.generation += 1
        self._status.taken_at = time.time()
        self._status.error = ""
        logger.info("configuration reloaded", extra={"generation": self._status.generation})
        return loaded

    def _refused(self, reason: str) -> None:
        self._status.error = reason
        self._status.refused += 1
        logger.error("new configuration refused, the old one stays", extra={"reason": reason})
