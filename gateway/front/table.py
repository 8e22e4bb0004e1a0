"""Which requests can be read here, as the engine has said."""

from __future__ import annotations

from collections.abc import Mapping

from batching import Inputs, PackedInputs
from gateway.hop.inputs import Description, Layout, layout_of
from gateway.hop.routes import KnownSignature, ModelRoutes, Target
from gateway.http.paths import ModelPath

_MOST_LAYOUTS = 64
"""Of one signature, whose descriptions are kept: clients choose shapes."""


class ReadableSignature:
    """A signature of a model's version, with the descriptions of requests for it."""

    __slots__ = ("_described", "_last", "_last_key", "_name", "_target", "known")

    def __init__(self, model: str, target: Target, known: KnownSignature) -> None:
        self.known = known
        self._name = model
        self._target = target
        self._described: dict[tuple[Layout, bool], bytes] = {}
        self._last_key: object = None
        self._last = b""
        """The description of packed inputs with ``_last_key``, for an answer in row form."""

    def describe(self, inputs: Inputs, *, rows: bool) -> bytes:
        """The description of a request with such inputs, for an answer in row form or not."""
        if not rows or type(inputs) is not PackedInputs:
            return self._describe(layout_of(inputs), rows=rows)
        # Equal rows have one and the same key, mostly.
        if inputs.key is not self._last_key:
            self._last = self._describe(layout_of(inputs), rows=True)
            self._last_key = inputs.key
        return self._last

    def _describe(self, layout: Layout, *, rows: bool) -> bytes:
        found = self._described.get((layout, rows))
        if found is None:
            if len(self._described) >= _MOST_LAYOUTS:
                self._described.clear()
            known = self.known
            description = Description(
                self._name, *self._target, known.signature.name, known.digest, rows, layout
            )
            found = self._described[layout, rows] = description.text()
        return found


Route = Mapping[str, ReadableSignature]
"""By name the signatures of what a path means."""


class Table:
    """Every path whose requests can be read here."""

    def __init__(self) -> None:
        self._routes: dict[str, dict[Target, Route]] = {}
        self.generation = 0
        """Changes whenever a route may have."""

    def route(self, path: ModelPath) -> Route | None:
        """None: the engine must see the request itself."""
        model = self._routes.get(path.name)
        return None if model is None else model.get(Target(path.version, path.label))

    def update(self, model: ModelRoutes) -> None:
        """What is known of one model from now on."""
        self.generation += 1
        self._routes[model.name] = {
            target: {s: ReadableSignature(model.name, target, k) for s, k in signatures.items()}
            for target, signatures in model.targets.items()
        }
        if not model.targets:
            del self._routes[model.name]

    def clear(self) -> None:
        """Nothing is known."""
        self.generation += 1
        self._routes.clear()
