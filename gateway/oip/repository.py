"""The model repository as clients see and change it (model repository extension)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.codecs.json_parse import parse_object
from gateway.codecs.json_text import quote
from gateway.errors import ServingError, invalid_argument
from gateway.models.registry import ModelEntry, Registry
from gateway.models.versions import State, VersionRecord
from gateway.oip.control import ModelControl

READY, UNAVAILABLE = "READY", "UNAVAILABLE"

_STATES = {
    State.START: "LOADING",
    State.LOADING: "LOADING",
    State.AVAILABLE: READY,
    State.UNLOADING: "UNLOADING",
    State.END: UNAVAILABLE,
}
_CONFIG, _FILE, _DEPENDENTS = "config", "file:", "unload_dependents"


class Repository:
    """What there is, and what clients ask to be loaded. Lives on the event loop."""

    def __init__(self, registry: Registry, control: ModelControl) -> None:
        self._registry = registry
        self._control = control

    async def look(self) -> None:
        """Look for new models, so that ``index`` has them."""
        await self._control.look()

    def index(self, *, ready: bool) -> list[dict[str, str]]:
        """Every version that is known, and models without one; with ``ready`` only what takes
        requests."""
        rows: list[dict[str, str]] = []
        for name, entry in self._registry.models.items():
            rows += _versions(name, entry)
        rows += [_row(name, "", UNAVAILABLE, reason) for name, reason in self._control.index()]
        return [row for row in rows if row["state"] == READY] if ready else rows

    async def load(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Returns when the model serves. Raises ServingError for parameters that cannot be obeyed
        and for a model that does not load."""
        for key in parameters:
            if key.startswith(_FILE):
                raise invalid_argument(
                    f"failed to load '{name}': {quote(key)}: model files cannot be sent with the"
                    " request; put them into the model repository"
                )
        _check_known(parameters, {_CONFIG})
        config = parameters.get(_CONFIG)
        await self._control.load(name, None if config is None else _parsed(config))

    async def unload(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Raises ServingError."""
        _check_known(parameters, {_DEPENDENTS})
        dependents = parameters.get(_DEPENDENTS, False)
        if type(dependents) is not bool:
            raise invalid_argument(f"{_DEPENDENTS} must be true or false, got {quote(dependents)}")
        await self._control.unload(name, unload_dependents=dependents)


def _versions(name: str, entry: ModelEntry) -> list[dict[str, str]]:
    records = sorted(entry.versions.values(), key=lambda record: record.version)
    if not records:
        return [_row(name, "", UNAVAILABLE, entry.error.message if entry.error else "")]
    return [
        _row(name, str(record.version), _STATES[record.state], _reason(record))
        for record in records
    ]


def _reason(record: VersionRecord) -> str:
    if record.error is not None:
        return record.error.message
    return "unloaded" if record.state is State.END else ""


def _row(name: str, version: str, state: str, reason: str) -> dict[str, str]:
    return {"name": name, "version": version, "state": state, "reason": reason}


def _check_known(parameters: Mapping[str, Any], known: set[str]) -> None:
    for key in parameters:
        if key not in known:
            raise invalid_argument(
                f"unknown parameter {quote(key)}; expected {', '.join(sorted(known))}"
            )


def _parsed(config: Any) -> Mapping[str, Any]:
    if type(config) is not str:
        raise invalid_argument(f"parameter config must be a JSON text, got {quote(config)}")
    try:
        return parse_object(config.encode("utf-8", "surrogatepass"))
    except ServingError as error:
        raise invalid_argument(f"parameter config: {error.message}") from error
