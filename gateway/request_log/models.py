"""The request logs that the configuration asks for, opened and released as it changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from gateway.config.errors import ConfigError
from gateway.config.settings import RequestLogSettings, ResolvedModel, Settings
from gateway.request_log.log import ModelLog, RequestLog

logger = logging.getLogger(__name__)

_FIELDS = tuple(RequestLogSettings.model_fields)


class ModelLogs:
    """One log for each model that asks for one. Lives on the event loop; files are opened on
    threads."""

    def __init__(self, log: RequestLog) -> None:
        self._log = log
        self._open: dict[str, tuple[ResolvedModel, ModelLog | None]] = {}

    async def change(self, settings: Settings) -> None:
        """Open what is new or other than before, release the rest.

        Raises ConfigError when a log cannot be opened; then everything is as it was.
        """
        wanted = {name: settings.for_model(name) for name in settings.model_names()}
        changed = {n: m for n, m in wanted.items() if n not in self._open or self._differs(n, m)}
        opened: dict[str, tuple[ResolvedModel, ModelLog | None]] = {}
        try:
            for name, model in changed.items():
                opened[name] = (model, await asyncio.to_thread(self._log.open, name, model))
        except ConfigError:
            await self._reopen(opened)
            raise
        gone = [name for name in self._open if name not in wanted or name in opened]
        _release({name: self._open.pop(name) for name in gone})
        self._open |= opened

    def _differs(self, name: str, model: ResolvedModel) -> bool:
        before, _ = self._open[name]
        return any(getattr(before, field) != getattr(model, field) for field in _FIELDS)

    async def _reopen(self, opened: Mapping[str, tuple[ResolvedModel, ModelLog | None]]) -> None:
        """A model's log is the one opened last: open the former ones again."""
        for name in opened.keys() & self._open.keys():
            model, former = self._open[name]
            try:
                again = await asyncio.to_thread(self._log.open, name, model)
            except ConfigError as error:
                # The file was writable a moment ago; the model goes on without a log.
                logger.error("request log lost", extra={"model": name, "reason": str(error)})
                again = None
            _release({name: (model, former)})
            self._open[name] = (model, again)
        _release(opened)


def _release(logs: Mapping[str, tuple[ResolvedModel, ModelLog | None]]) -> None:
    for _, log in logs.values():
        if log is not None:
            log.release()
