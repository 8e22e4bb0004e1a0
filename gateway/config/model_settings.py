"""Settings of single models."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gateway.config.fields import (
    Alias,
    Axes,
    AxisKey,
    AxisReference,
    Devices,
    Fraction,
    LocalPath,
    Milliseconds,
    PadValue,
    Sizes,
    Tolerance,
)
from gateway.config.inherited import Frozen, InheritedSettings, Overrides
from gateway.config.version_fields import Label, LabelTarget, Version, VersionPolicyText
from gateway.config.waiting import WaitingSettings


class PadSettings(Frozen):
    """How one input of varying shape is padded to the batch's common shape."""

    axes: Axes = Field(description="Axes that may vary between rows; axis 0 is the batch.")
    value: PadValue = Field(default=None, description="What to pad with; none is the dtype's zero.")
    buckets: Sizes = Field(
        default=(), description="Lengths to pad up to; empty pads to the longest row of the batch."
    )
    mask_input: Alias | None = Field(
        default=None, description="Input to fill with 1 for real and 0 for padded places."
    )
    length_input: Alias | None = Field(
        default=None, description="Input to fill with the real lengths."
    )


class ShadowSettings(Frozen):
    """A version that runs requests a second time; its answers are compared and dropped."""

    version: Version = Field(description="The version that shadows the one that answers.")
    fraction: Fraction = Field(default=1.0, description="Share of the requests it runs, 0 to 1.")
    tolerance: Tolerance = Field(
        default=1e-3, description="Largest relative difference that still counts as equal."
    )


class ModelSettings(Overrides, WaitingSettings):
    """One model."""

    base_path: LocalPath = Field(default="", description="Folder of the numbered version folders.")
    model_version_policy: VersionPolicyText = Field(
        default="latest",
        description='Versions to serve: "latest", "latest:N", "all" or "specific:1,3".',
    )
    version_labels: dict[Label, LabelTarget] = Field(
        default={},
        description="Names for versions: a version, or weights by version that share its requests.",
    )
    default_label: str = Field(
        default="", description="Label of requests that name neither version nor label."
    )
    shadow: ShadowSettings | None = Field(
        default=None, description="Version that runs requests a second time, to be compared."
    )
    devices: Devices = Field(
        default=(), description="Devices that run this model; empty is all of them."
    )
    xla: bool = Field(
        default=False,
        description="Compile the model with XLA, before it serves, for each of "
        "allowed_batch_sizes (powers of two if there are none) and each padding bucket; "
        "on CPUs it seldom pays: measure first.",
    )
    length_patience_ms: Milliseconds = Field(
        default=0.0,
        description="How long the oldest row may be passed over by rows whose lengths go together "
        "better, in ms; 0 has it in every batch.",
    )
    padding: dict[str, PadSettings] = Field(
        default={},
        description="Padding rules by input alias; without one, shapes in a batch are equal.",
    )
    trim: dict[str, dict[AxisKey, AxisReference]] = Field(
        default={},
        description="Output axes to cut back to the row's own length, by output alias and axis: "
        'the padded "INPUT:AXIS" whose length it has.',
    )


class ResolvedModel(InheritedSettings, WaitingSettings):
    """What is in force for one model."""

    name: str
    base_path: Path
    model_version_policy: str
    version_labels: dict[str, LabelTarget]
    """A version, or weights by version: positive, of any sum."""
    default_label: str
    """Empty: a request without version and label goes to the latest version."""
    shadow: ShadowSettings | None
    devices: tuple[str, ...]
    """Empty: all the host's devices."""
    xla: bool
    length_patience_ms: float
    padding: dict[str, PadSettings]
    trim: dict[str, dict[int, str]]
