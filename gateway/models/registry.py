"""Which model versions there are, and which of them takes a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.config.settings import ResolvedModel
from gateway.errors import Code, ServingError, not_found
from gateway.models.servable import Servable
from gateway.models.versions import State, VersionRecord


@dataclass(slots=True)
class ModelEntry:
    """One configured model."""

    settings: ResolvedModel
    versions: dict[int, VersionRecord] = field(default_factory=dict)
    error: ServingError | None = None
    """Why no version was found."""
    latest: Servable | None = None
    """The highest version that is available."""

    @property
    def ready(self) -> bool:
        return self.latest is not None

    def is_loading(self, record: VersionRecord | None) -> bool:
        """Whether the version, or any when none is given, is still on its way."""
        if not self.versions:
            return self.error is None
        records = [record] if record is not None else self.versions.values()
        return any(r.state in (State.START, State.LOADING) for r in records)

    def publish(self, servable: Servable) -> None:
        """Let a loaded version take requests."""
        record = self.versions.setdefault(servable.version, VersionRecord(servable.version))
        record.available(servable)
        available = [r.servable for r in self.versions.values() if r.servable is not None]
        self.latest = max(available, key=lambda s: s.version)

    def problem(self) -> ServingError | None:
        """Why the model is not ready, as far as that is known."""
        failed = (record.error for record in self.versions.values() if record.error is not None)
        return next(failed, self.error)


class Registry:
    """All configured models. Lives on the event loop."""

    def __init__(self, models: Iterable[ResolvedModel]) -> None:
        self.models: Mapping[str, ModelEntry] = {m.name: ModelEntry(m) for m in models}

    @property
    def ready(self) -> bool:
        """Whether every configured model takes requests."""
        return all(entry.ready for entry in self.models.values())

    def servables(self) -> list[Servable]:
        """Every version that takes requests."""
        records = (r for entry in self.models.values() for r in entry.versions.values())
        return [record.servable for record in records if record.servable is not None]

    def resolve(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """The version that a request means. Raises ServingError as TF Serving does
        (server_core): 404 for an unknown model or version, 400 for a label; 503 while it loads."""
        entry = self.models.get(name)
        if label is not None and entry is not None:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
            )
        if version is None:
            if entry is not None and entry.latest is not None:
                return entry.latest
            raise self._missing(f"Latest({name})", entry, None)
        record = entry.versions.get(version) if entry is not None else None
        if record is not None and record.servable is not None:
            return record.servable
        raise self._missing(f"Specific({name}, {version})", entry, record)

    def status(self, name: str, version: int | None = None) -> list[VersionRecord]:
        """Records of a model's versions, newest first. Raises ServingError (404)."""
        entry = self.models.get(name)
        if entry is None or not entry.versions:
            raise not_found(f"Could not find any versions of model {name}")
        if version is None:
            return sorted(entry.versions.values(), key=lambda r: r.version, reverse=True)
        if version not in entry.versions:
            raise not_found(f"Could not find version {version} of model {name}")
        return [entry.versions[version]]

    def _missing(
        self, request: str, entry: ModelEntry | None, record: VersionRecord | None
    ) -> ServingError:
        if entry is not None and entry.is_loading(record):
            return ServingError(Code.UNAVAILABLE, f"{request} is being loaded", retry_after=1.0)
        return not_found(f"Servable not found for request: {request}")
