"""What fronts are told of the models, and whether what they made of it is still right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.codecs.results_json import check_method_name
from gateway.errors import ServingError
from gateway.hop.frames import Kind, json_frame
from gateway.hop.routes import Digests, Target, routes_json
from gateway.hop.signatures import Json, digest, signature_json
from gateway.models.registry import ModelEntry, Registry
from gateway.models.servable import SignatureQueue

_LATEST = Target(None, None)

Tell = Callable[[bytes], None]


class Mirror:
    """Keeps fronts informed of a registry. Lives on the event loop.

    A change is told before any answer can show it: who has learned of a new version is not read by
    the signature of the old one.
    """

    def __init__(self, registry: Registry, *, check_method_names: bool = False) -> None:
        """``check_method_names``: a signature that is not meant for predict is not told of."""
        self._registry = registry
        self._check_method_names = check_method_names
        self._listeners: set[Tell] = set()
        self.generation = 0
        """Changes whenever anything that was told of may have changed."""
        registry.watchers.append(self._changed)

    def add(self, tell: Tell) -> None:
        """Tell of all models now, and of each one that changes later."""
        self._listeners.add(tell)
        for entry in self._registry.models.values():
            tell(self._frame(entry))

    def remove(self, tell: Tell) -> None:
        self._listeners.discard(tell)

    def digest_of(self, name: str, queue: SignatureQueue) -> str | None:
        """The digest that fronts know a signature of a model by; None when they may not read
        requests for it."""
        entry = self._registry.models.get(name)
        if entry is None or not self._may_be_read(entry) or not self._is_for_predict(queue):
            return None
        found = signature_json(queue.signature, queue.optional_inputs)
        return None if found is None else digest(found)

    def _changed(self, entry: ModelEntry) -> None:
        self.generation += 1
        if self._listeners:
            frame = self._frame(entry)
            for tell in list(self._listeners):
                tell(frame)

    def _frame(self, entry: ModelEntry) -> bytes:
        name = entry.settings.name
        signatures: dict[str, Json] = {}
        targets: dict[Target, Digests] = {}
        if self._registry.models.get(name) is entry and self._may_be_read(entry):
            versions = {v: self._digests(entry, v, signatures) for v in entry.available()}
            targets = dict(_targets(entry, versions))
        return json_frame(Kind.ROUTES, routes_json(name, targets, signatures))

    def _may_be_read(self, entry: ModelEntry) -> bool:
        """Those who look on at a model's requests need them as they came."""
        return entry.settings.shadow is None and not entry.settings.request_log

    def _is_for_predict(self, queue: SignatureQueue) -> bool:
        if self._check_method_names:
            try:
                check_method_name(queue.signature, "predict")
            except ServingError:
                return False
        return True

    def _digests(self, entry: ModelEntry, version: int, signatures: dict[str, Json]) -> Digests:
        """Those of a version's signatures; adds these to ``signatures``."""
        digests: dict[str, str] = {}
        for name, queue in entry.available()[version].queues.items():
            found = signature_json(queue.signature, queue.optional_inputs)
            if found is not None and self._is_for_predict(queue):
                digests[name] = digest(found)
                signatures[digests[name]] = found
        return digests


def _targets(entry: ModelEntry, versions: dict[int, Digests]) -> Iterator[tuple[Target, Digests]]:
    labels: dict[str, Digests] = {}
    for label, weights in entry.label_targets.items():
        meant = [versions[version] for version in weights if version in versions]
        if meant:
            labels[label] = _common(meant)
            yield Target(None, label), labels[label]
    for version, digests in versions.items():
        yield Target(version, None), digests
    default = entry.settings.default_label
    if default in labels:
        yield _LATEST, labels[default]
    elif entry.latest is not None:
        yield _LATEST, versions.get(entry.latest.version, {})


def _common(meant: list[Digests]) -> Digests:
    """The signatures that are the same whichever version a request gets."""
    first, *others = meant
    return {n: found for n, found in first.items() if all(o.get(n) == found for o in others)}
