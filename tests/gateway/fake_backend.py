"""A framework without a framework: models are Python functions whose runs can be held back."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.errors import ServingError, invalid_argument

Outputs = dict[str, NDArray[Any]]
Function = Callable[[Tensors], Outputs]

_TYPE_NAMES = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "object": "DT_STRING",
}


class Valve:
    """Lets threads through, or holds them until it is opened."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._passes = math.inf

    def shut(self) -> None:
        self._set(0)

    def open(self) -> None:
        self._set(math.inf)

    def let_through(self, runs: int) -> None:
        """Let so many pass a shut valve."""
        self._set(runs)

    def pass_through(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._passes > 0)
            self._passes -= 1

    def _set(self, passes: float) -> None:
        with self._changed:
            self._passes = passes
            self._changed.notify_all()


def spec(name: str, dtype: DTypeLike = np.float32, *shape: int | None) -> TensorSpec:
    """``shape`` is that of a row, behind a free first axis."""
    found = np.dtype(dtype)
    return TensorSpec(name, found, _TYPE_NAMES[found.name], (None, *shape))


def by_name(*specs: TensorSpec) -> dict[str, TensorSpec]:
    return {one.name: one for one in specs}


def double(inputs: Tensors) -> Outputs:
    """``y = 2 x``, and nothing negative."""
    x = inputs["x"]
    if (x < 0).any():
        raise invalid_argument("x must not be negative")
    return {"y": x * 2}


@dataclass
class FakeSignature:
    """One function of a model. ``batches`` holds the inputs of every run, in order of start."""

    function: Function = double
    inputs: Mapping[str, TensorSpec] = field(default_factory=lambda: by_name(spec("x")))
    outputs: Mapping[str, TensorSpec] = field(default_factory=lambda: by_name(spec("y")))
    stateful: bool = False
    unbatchable: str = ""
    method_name: str = "tensorflow/serving/predict"
    valve: Valve = field(default_factory=Valve)
    batches: list[Tensors] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)

    def runner(self, device: str) -> RunFunction:
        def run(inputs: Tensors) -> Outputs:
            self.devices.append(device)
            self.batches.append({name: value.copy() for name, value in inputs.items()})
            self.valve.pass_through()
            return self.function(inputs)

        return run

    def describe(self, name: str) -> Signature:
        return Signature(
            name,
            self.inputs,
            self.outputs,
            self.method_name,
            stateful=self.stateful,
            unbatchable=self.unbatchable,
        )

    @property
    def sizes(self) -> list[int]:
        """Rows of every run."""
        return [len(next(iter(batch.values()))) for batch in self.batches]


class FakeModel:
    """A loaded version."""

    def __init__(self, signatures: Mapping[str, FakeSignature]) -> None:
        self._fakes = signatures
        self.signatures = {name: fake.describe(name) for name, fake in signatures.items()}
        self.metadata: dict[str, Any] = {name: {"inputs": {}, "outputs": {}} for name in signatures}

    def runner(self, signature: str, device: str) -> RunFunction:
        return self._fakes[signature].runner(device)

    def close(self) -> None:
        """Holds nothing."""


Content = FakeSignature | Mapping[str, FakeSignature] | ServingError
"""What a folder holds: a model's default signature, all its signatures, or why it does not load."""


class FakeBackend:
    """Loads ``contents`` by the name of the base path's folder, or by ``NAME/VERSION``."""

    description = "Fake 1.0"

    def __init__(self, contents: Mapping[str, Content], devices: Sequence[str] = ("cpu:0",)):
        self._contents = contents
        self._devices = devices
        self.loading = Valve()

    def devices(self) -> Sequence[str]:
        return self._devices

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> FakeModel:
        self.loading.pass_through()
        name = path.parent.name
        content = self._contents.get(f"{name}/{path.name}", self._contents.get(name))
        assert content is not None, f"no content for {path}"
        if isinstance(content, ServingError):
            raise content
        signatures = content if isinstance(content, Mapping) else {"serving_default": content}
        return FakeModel(signatures)

    def open_valves(self) -> None:
        """Let everything end."""
        self.loading.open()
        for content in self._contents.values():
            if not isinstance(content, ServingError):
                fakes = content.values() if isinstance(content, Mapping) else [content]
                for fake in fakes:
                    fake.valve.open()
