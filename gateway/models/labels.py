"""Labels: names for versions, moved as a whole, and shared out between versions by weight."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

Targets = Mapping[int, float]
"""Weights by version; one version alone has all of it."""


class Label:
    """Chooses a version for each request, in the proportion of the weights.

    The choice is not random (smooth weighted round robin): of any N requests in a row each version
    gets its share to within one request for each version.
    """

    __slots__ = ("_credit", "targets")

    def __init__(self, targets: Targets) -> None:
        self.targets = dict(targets)
        self._credit = dict.fromkeys(self.targets, 0.0)

    def choose(self, is_available: Callable[[int], bool]) -> int | None:
        """The version for the next request; None when none is available.

        The share of versions that are not available goes to the others.
        """
        usable = [v for v in self.targets if is_available(v)]
        if len(usable) <= 1:
            return usable[0] if usable else None
        for version in usable:
            self._credit[version] += self.targets[version]
        chosen = max(usable, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self.targets[v] for v in usable)
        return chosen


class Labels:
    """A model's labels in force, and those that wait for their versions."""

    def __init__(self, *, allow_unavailable: bool = False) -> None:
        self._allow_unavailable = allow_unavailable
        self._active: dict[str, Label] = {}
        self._wanted: dict[str, Targets] = {}

    @property
    def targets(self) -> Mapping[str, Targets]:
        """The labels in force."""
        return {name: label.targets for name, label in self._active.items()}

    def get(self, name: str) -> Label | None:
        return self._active.get(name)

    def is_wanted(self, name: str) -> bool:
        """Whether the label is, or is to be, in force."""
        return name in self._wanted

    def want(self, targets: Mapping[str, Targets]) -> None:
        """Set the labels that are to be in force as soon as their versions are available."""
        self._wanted = {name: dict(weights) for name, weights in targets.items()}

    @property
    def pending(self) -> bool:
        """Whether the labels in force are not the wanted ones yet."""
        return self.targets != self._wanted

    def missing(self, available: Collection[int]) -> dict[str, int]:
        """By label that is to be set or moved: a version it waits for."""
        return {
            name: next(v for v in weights if v not in available)
            for name, weights in self._wanted.items()
            if self._must_wait(name, weights, available)
        }

    def activate(self, available: Collection[int]) -> bool:
        """Put the whole map in force if nothing in it has to wait; whether anything changed.

        A label that is new may name versions that are not there if that is allowed; one that moves
        may not (TF Serving, server_core).
        """
        if not self.pending or self.missing(available):
            return False
        self._active = {
            name: self._active[name]
            if name in self._active and self._active[name].targets == weights
            else Label(weights)
            for name, weights in self._wanted.items()
        }
        return True

    def versions(self) -> frozenset[int]:
        """Versions that a label in force refers to."""
        return frozenset(v for label in self._active.values() for v in label.targets)

    def _must_wait(self, name: str, weights: Targets, available: Collection[int]) -> bool:
        current = self._active.get(name)
        if current is not None and current.targets == dict(weights):
            return False
        if current is None and self._allow_unavailable:
            return False
        return any(v not in available for v in weights)
