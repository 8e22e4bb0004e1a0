"""A rig whose models are those of a Triton model repository, read by the configuration itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.config.reload import ConfigSource
from gateway.config.settings import Settings
from gateway.models.control import ModelControl
from gateway.reload import Reloader
from tests.models.rig import Rig

_QUICK = {
    "warmup": "false",
    "file_system_poll_wait_seconds": "0.01",
    "load_retry_interval_micros": "10000",
}


class RepositoryRig(Rig):
    """Reload and control stand on the same settings as in a server."""

    def __init__(self, root: Path, source: ConfigSource, settings: Settings) -> None:
        self.source = source
        self._settings = settings
        super().__init__(root, {}, {})
        self.reloader = Reloader(source, settings, self._apply, self.registry.configuration)
        self.control = ModelControl(self.registry, self.manager, self.reloader)

    @classmethod
    async def make(cls, root: Path, flags: Mapping[str, str]) -> RepositoryRig:
        """Of the repository ``root``, with these flags."""
        every = {**_QUICK, "model_repository": str(root), **flags}
        source = ConfigSource(every, {}, root.parent)
        loaded = await asyncio.to_thread(source.load)
        return cls(root, source, loaded.settings)

    def settings(self, models: Mapping[str, Mapping[str, Any]]) -> Settings:
        return self._settings

    async def _apply(self, settings: Settings) -> None:
        await self.manager.check(settings)
        self.manager.apply(settings)

    def config(self, name: str, text: str) -> None:
        """The model's config.pbtxt."""
        (self.root / name).mkdir(exist_ok=True)
        (self.root / name / "config.pbtxt").write_text(text)

    def error(self, name: str = "m") -> str:
        """Why nothing is found, or nothing new taken, of the model."""
        error = self.entry(name).error
        return error.message if error is not None else ""
