"""Which model versions there are, and which of them takes a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from gateway.config.settings import ResolvedModel
from gateway.config.status import ConfigStatus
from gateway.errors import Code, ServingError, not_found
from gateway.models.declared import unusable
from gateway.models.labels import Labels, Targets
from gateway.models.servable import Servable
from gateway.models.versions import State, VersionRecord

MAX_ENDED = 16
"""Ended versions that a model's status remembers."""


class ModelEntry:
    """One configured model. Lives on the event loop."""

    def __init__(
        self,
        settings: ResolvedModel,
        *,
        allow_unavailable_labels: bool = False,
        watchers: Sequence[Callable[[ModelEntry], None]] = (),
    ) -> None:
        """``watchers`` are told whenever other versions may take requests, or other labels hold."""
        self.settings = settings
        self._watchers = watchers
        self.versions: dict[int, VersionRecord] = {}
        self.error: ServingError | None = None
        """Why no version was found."""
        self.labels = Labels(allow_unavailable=allow_unavailable_labels)
        self.latest: Servable | None = None
        """What a request that names no version gets: the highest that is available, but for one
        that only runs in the shadow and one that was taken back."""

        self.undivided: Servable | None = None
        """``latest``, where every request that names no version gets that; see ``refresh``."""

    @property
    def ready(self) -> bool:
        return self.latest is not None

    @property
    def label_targets(self) -> Mapping[str, Targets]:
        """Versions and their weights, by label in force."""
        return self.labels.targets

    def available(self) -> dict[int, Servable]:
        """Every version that takes requests."""
        return {v: r.servable for v, r in self.versions.items() if r.servable is not None}

    def is_loading(self, record: VersionRecord | None) -> bool:
        """Whether the version, or any when none is given, is still on its way."""
        if not self.versions:
            return self.error is None
        records = [record] if record is not None else self.versions.values()
        return any(r.state in (State.START, State.LOADING) and r.error is None for r in records)

    def record(self, version: int) -> VersionRecord:
        """The record of ``version``, made if there is none."""
        return self.versions.setdefault(version, VersionRecord(version))

    def configure(self, settings: ResolvedModel) -> None:
        """New settings, of which the label of those who name none counts at once."""
        self.settings = settings
        self.undivided = None if settings.default_label else self.latest

    def refresh(self) -> None:
        """Call after any version became available or ceased to be: one assignment decides for all
        requests that come later. Labels follow as soon as their versions are there."""
        shadow = self.settings.shadow
        hidden = {shadow.version} if shadow is not None else set()
        hidden |= {v for v, r in self.versions.items() if r.rejected}
        available = self.available()
        chosen = available.keys() - hidden
        if chosen:
            self.latest = available[max(chosen)]
        elif self.latest is not None:
            # Better a version that should not serve any more than none.
            self.latest = available.get(self.latest.version)
        self.undivided = None if self.settings.default_label else self.latest
        self.labels.activate(available.keys())
        for watch in self._watchers:
            watch(self)

    @property
    def is_foreign(self) -> bool:
        """Whether the model is of a framework that is not served here."""
        return self.settings.triton is not None and self.settings.triton.foreign

    def problem(self) -> ServingError | None:
        """Why the model is not ready, as far as that is known."""
        failed = (record.error for record in self.versions.values() if record.error is not None)
        return next(failed, self.error)

    def forget_old_ends(self, wanted: Collection[int]) -> None:
        """Keep the status short: of the ended versions that are not ``wanted`` any more only the
        youngest records stay."""
        ended = [v for v, r in self.versions.items() if r.state is State.END and v not in wanted]
        for version in ended[:-MAX_ENDED]:
            del self.versions[version]


class Registry:
    """All configured models. Lives on the event loop; models come and go with the configuration."""

    def __init__(
        self,
        models: Iterable[ResolvedModel],
        *,
        allow_unavailable_labels: bool = False,
        strict_readiness: bool = True,
    ) -> None:
        self.allow_unavailable_labels = allow_unavailable_labels
        self.strict_readiness = strict_readiness
        self.models: dict[str, ModelEntry] = {}
        self.configuration = ConfigStatus()
        """Of the configuration that the models come from."""
        self.watchers: list[Callable[[ModelEntry], None]] = []
        """Told of a model whenever what takes its requests may have changed."""
        for model in models:
            self.add(model)

    def add(self, settings: ResolvedModel) -> ModelEntry:
        entry = ModelEntry(
            settings,
            allow_unavailable_labels=self.allow_unavailable_labels,
            watchers=self.watchers,
        )
        self.models[settings.name] = entry
        return entry

    @property
    def ready(self) -> bool:
        """Whether every configured model takes requests, as far as readiness waits for it."""
        return not self.waiting()

    def waiting(self) -> dict[str, ModelEntry]:
        """Models that readiness waits for: those that do not take requests; when it is not strict,
        those that are still being loaded. Never those that no load can make ready."""
        missing = {n: e for n, e in self.models.items() if not e.ready and not e.is_foreign}
        if self.strict_readiness:
            return missing
        return {name: entry for name, entry in missing.items() if entry.is_loading(None)}

    def servables(self) -> list[Servable]:
        """Every version that takes requests."""
        return [s for entry in self.models.values() for s in entry.available().values()]

    def acquire(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """``resolve``, with a lease: the caller must ``release`` the servable."""
        entry = self.models.get(name)
        servable = entry.undivided if entry is not None else None
        if servable is None or version is not None or label is not None:
            servable = self.resolve(name, version, label)
        servable.leases += 1
        return servable

    def resolve(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """The version that a request means. Raises ServingError as TF Serving does
        (server_core): 404 for an unknown model or version, 400 for an unknown label; 503 while it
        loads."""
        entry = self.models.get(name)
        if version is None and entry is not None:
            if label is None and not entry.settings.default_label:
                if entry.latest is not None:
                    return entry.latest
            else:
                version = self._labelled(entry, label)
        if version is None:
            raise self._missing(f"Latest({name})", entry, None)
        record = entry.versions.get(version) if entry is not None else None
        if record is not None and record.servable is not None:
            return record.servable
        raise self._missing(f"Specific({name}, {version})", entry, record)

    def status(self, name: str, version: int | None = None) -> list[VersionRecord]:
        """Records of a model's versions, newest first. Raises ServingError (404)."""
        entry = self.models.get(name)
        if entry is None or not entry.versions:
            raise not_found(f"Could not find any versions of model {name}{_reason(entry)}")
        if version is None:
            return sorted(entry.versions.values(), key=lambda r: r.version, reverse=True)
        if version not in entry.versions:
            raise not_found(f"Could not find version {version} of model {name}")
        return [entry.versions[version]]

    def _labelled(self, entry: ModelEntry, label: str | None) -> int | None:
        """The version that a label means, for this request; None: the latest."""
        asked = label if label is not None else entry.settings.default_label
        found = entry.labels.get(asked)
        if found is None and label is None:
            # The default label waits for its version: serve what there is.
            return entry.latest.version if entry.latest is not None else None
        if found is None and entry.labels.is_wanted(asked) and entry.is_loading(None):
            raise ServingError(
                Code.UNAVAILABLE, f"label {asked} waits for its version", retry_after=1.0
            )
        if found is None:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
            )
        chosen = found.choose(lambda v: _is_available(entry, v))
        return chosen if chosen is not None else max(found.targets)

    def _missing(
        self, request: str, entry: ModelEntry | None, record: VersionRecord | None
    ) -> ServingError:
        if entry is not None and entry.is_loading(record):
            return ServingError(Code.UNAVAILABLE, f"{request} is being loaded", retry_after=1.0)
        return not_found(f"Servable not found for request: {request}{_reason(entry)}")


def _reason(entry: ModelEntry | None) -> str:
    """What a repository says against a model that has nothing to serve."""
    problem = unusable(entry.settings) if entry is not None else None
    return f": {problem.message}" if problem is not None else ""


def _is_available(entry: ModelEntry, version: int) -> bool:
    record = entry.versions.get(version)
    return record is not None and record.servable is not None
