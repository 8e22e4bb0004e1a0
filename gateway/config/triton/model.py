"""What a model's folder in the repository says beyond the settings that all models have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class TritonTensor:
    """An input or output as config.pbtxt declares it."""

    name: str
    datatype: str
    """The protocol's name, ``FP32`` or ``BYTES``; empty when it is left open."""
    dims: tuple[int, ...]
    """-1 for any size; without the batch axis where there is one. Empty when left open."""
    reshape: tuple[int, ...] | None = None
    """The shape that the model itself takes or gives, if that is another."""
    optional: bool = False
    labels: tuple[str, ...] = ()
    """Names of the classes that this output's last axis counts."""


@dataclass(frozen=True, slots=True)
class InstanceGroup:
    """Where the model is to run."""

    kind: Literal["auto", "cpu", "gpu"]
    count: int = 1
    """How many runs there may be at once; on GPUs one each."""
    gpus: tuple[int, ...] = ()
    """Empty: all of them."""


@dataclass(frozen=True, slots=True)
class WarmupInput:
    """One input of a warm-up request."""

    datatype: str
    dims: tuple[int, ...]
    """Of one row, where the model has a batch axis."""
    data: Literal["zero", "random", "file"]
    file: str = ""
    """Raw values of one row, in the model's folder ``warmup``."""


@dataclass(frozen=True, slots=True)
class WarmupSample:
    """A request to run before the model takes its first one."""

    name: str
    rows: int
    count: int
    """How often it is run."""
    inputs: Mapping[str, WarmupInput]


@dataclass(frozen=True, slots=True)
class TritonModel:
    """One model folder. Two are equal when what is loaded from them is the same."""

    folder: Path
    """Holds the version folders. Never shown to clients."""
    problem: str = ""
    """Why the model cannot be served; empty when nothing speaks against it."""
    foreign: bool = False
    """It needs a framework that is not served here: no fault of the repository."""
    max_batch_size: int | None = None
    """As config.pbtxt says; 0: shapes are whole and requests run alone. None: it is left to the
    model, and ``ResolvedModel.max_batch_size`` counts."""
    signature: str = DEFAULT_SIGNATURE
    model_filename: str = ""
    """Folder of the SavedModel in a version folder; empty: ``model.savedmodel`` if it is there,
    else the version folder itself."""
    inputs: Mapping[str, TritonTensor] = field(default_factory=dict)
    """Empty when they are left to the model, as ``outputs`` are."""
    outputs: Mapping[str, TritonTensor] = field(default_factory=dict)
    instances: tuple[InstanceGroup, ...] = ()
    """Empty: all devices."""
    warmup: tuple[WarmupSample, ...] = ()
    config: Any = field(default=None, compare=False)
    """The ModelConfig message as it was read; None without a config.pbtxt. Not to be changed."""
