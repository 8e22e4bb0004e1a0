"""What the gateway needs of a framework: load a folder, describe signatures, run one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]
"""Arrays by input or output name (the signature's alias, not the graph's tensor name)."""

RunFunction = Callable[[Tensors], dict[str, NDArray[Any]]]
"""Runs one batch in the calling thread. Raises ServingError, never the framework's own error."""


FeatureKind = Literal["float", "int64", "bytes"]
"""What a feature of a tf.Example holds a list of."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a signature."""

    name: str
    """The alias that clients use."""
    dtype: np.dtype[Any]
    """``object`` for strings (elements are ``bytes``)."""
    type_name: str
    """TensorFlow's name of the dtype: ``DT_FLOAT``, ``DT_STRING``, ..."""
    shape: tuple[int | None, ...] | None
    """Declared shape, ``None`` for an unknown size; ``None`` as a whole for an unknown rank."""

    @property
    def is_string(self) -> bool:
        return self.dtype.kind == "O"


@dataclass(frozen=True, slots=True)
class Signature:
    """A named function of a model, as clients see it."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method_name: str = "tensorflow/serving/predict"
    defaults: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Values of inputs that may be left out (TF Serving: over gRPC only)."""
    stateful: bool = False
    """A run changes the model (a counter, a table): never re-run it, never warm it up with
    invented input."""
    unbatchable: str = ""
    """Why rows of different requests may not share a run; empty when nothing speaks against it."""
    features: Mapping[str, FeatureKind] = field(default_factory=dict)
    """Of a signature whose one string input takes serialized tf.Examples: the features that it
    parses and whose kind is certain."""


class Model(Protocol):
    """A loaded model version."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The signature map as proto3 JSON: ``{SIGNATURE: {"inputs": ..., "outputs": ...}}``."""

    def runner(self, signature: str, device: str) -> RunFunction:
        """The function that runs ``signature`` on ``device`` (``cpu:1``, ``gpu:0``)."""

    def close(self) -> None:
        """Give the memory back. No run may be in progress."""


class Backend(Protocol):
    """A framework."""

    @property
    def description(self) -> str:
        """Name and version, for the start-up line."""

    def devices(self) -> Sequence[str]:
        """The host's devices, accelerators first: ``("gpu:0", "cpu:0", "cpu:1")``.

        CPUs are logical devices, one per core that this process may use.
        """

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> Model:
        """Load the version folder ``path`` for ``devices``, to be compiled with ``xla``, shape by
        shape as they come. Blocks; raises ServingError."""
