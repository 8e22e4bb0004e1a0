"""Loading and unloading of models by clients (model repository extension)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from gateway.errors import Code, ServingError


class ModelControl(Protocol):
    """What clients may do with the models of the repository. The methods raise ServingError."""

    async def load(self, name: str, config: Mapping[str, Any] | None) -> None:
        """Bring the model up, or up to date, and wait until it serves or has failed. ``config`` is
        a ModelConfig as proto3 JSON whose fields override the model's own."""

    async def unload(self, name: str, *, unload_dependents: bool) -> None:
        """Take the model down. Does not wait for the requests in flight."""

    async def look(self) -> None:
        """Look at the repository's folders, for ``index``."""

    def index(self) -> Iterable[tuple[str, str]]:
        """Name and reason of models that are in the repository but not in the registry."""


class NoModelControl:
    """The server follows its configuration; clients change nothing (Triton's modes none and
    poll)."""

    async def load(self, name: str, config: Mapping[str, Any] | None) -> None:
        raise _refused()

    async def unload(self, name: str, *, unload_dependents: bool) -> None:
        raise _refused()

    async def look(self) -> None:
        """There are no folders beside the configuration's."""

    def index(self) -> Iterable[tuple[str, str]]:
        return ()


def _refused() -> ServingError:
    return ServingError(
        Code.UNAVAILABLE, "explicit model load / unload is not allowed if polling is enabled"
    )
