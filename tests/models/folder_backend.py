"""A framework without a framework that loads what stands in real folders.

A version folder holds a file ``factor``: a number to multiply by, or why the version is broken.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gateway.backends.base import RunFunction, Tensors
from gateway.errors import Code, ServingError
from tests.gateway.fake_backend import FakeModel, FakeSignature, Function, Outputs, Valve

DEVICES = ("cpu:0", "cpu:1")
"""Two, so that a run that is held back does not hold up everything."""


class CheckedModel(FakeModel):
    """Complains when it is closed twice, or while somebody uses it."""

    def __init__(self, name: str, factor: float, run: Valve, complaints: list[str]) -> None:
        self.name = name
        self.factor = factor
        self.users = 0
        self.closed = False
        self.running = 0
        self._complaints = complaints
        super().__init__({"serving_default": FakeSignature(times(factor), valve=run)})

    def runner(self, signature: str, device: str) -> RunFunction:
        run = super().runner(signature, device)

        def checked(inputs: Tensors) -> Outputs:
            self._never(self.closed, "runs after it was closed")
            self.running += 1
            try:
                return run(inputs)
            finally:
                self.running -= 1

        return checked

    def close(self) -> None:
        self._never(self.closed, "is closed twice")
        self._never(self.users > 0, "is closed while a lease is out")
        self._never(self.running > 0, "is closed while it runs")
        self.closed = True

    def _never(self, happened: bool, what: str) -> None:
        if happened:
            self._complaints.append(f"{self.name} {what}")


def times(factor: float) -> Function:
    """The function of a version; nan fails."""

    def multiply(inputs: Tensors) -> Outputs:
        if math.isnan(factor):
            raise ServingError(Code.INTERNAL, "the model fails")
        return {"y": inputs["x"] * np.float32(factor)}

    return multiply


class FolderBackend:
    """Loads what stands in the folders; a load or the runs of a version can be held back."""

    description = "Folders 1.0"

    def __init__(self) -> None:
        self.loads: list[str] = []
        """``NAME/VERSION`` of every load, in order of start."""
        self.models: list[CheckedModel] = []
        self.open_at_load: list[list[str]] = []
        """What else was in memory when each load began."""
        self.crashes: Counter[str] = Counter()
        """How many loads of ``NAME/VERSION`` are still to end with an error of the framework."""
        self.complaints: list[str] = []
        """What must never happen, and did."""
        self.loading: defaultdict[str, Valve] = defaultdict(Valve)
        """By ``NAME/VERSION``."""
        self.running: defaultdict[str, Valve] = defaultdict(Valve)

    def devices(self) -> Sequence[str]:
        return DEVICES

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> CheckedModel:
        name = f"{path.parent.name}/{path.name}"
        self.open_at_load.append(self.open_models)
        self.loads.append(name)
        self.loading[name].pass_through()
        if self.crashes[name]:
            self.crashes[name] -= 1
            raise RuntimeError("/a/path: not for clients")
        try:
            text = (path / "factor").read_text()
        except OSError:
            raise ServingError(Code.NOT_FOUND, "its files are gone") from None
        try:
            factor = float(text)
        except ValueError:
            raise ServingError(Code.DATA_LOSS, text) from None
        model = CheckedModel(name, factor, self.running[name], self.complaints)
        self.models.append(model)
        return model

    @property
    def open_models(self) -> list[str]:
        return sorted(model.name for model in self.models if not model.closed)

    def open_valves(self) -> None:
        for valve in [*self.loading.values(), *self.running.values()]:
            valve.open()
