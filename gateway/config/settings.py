"""Every setting, its default and its meaning; the descriptions are the flags' help texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.config.fields import (
    Alias,
    Axes,
    AxisKey,
    AxisReference,
    BatchingMode,
    Count,
    Devices,
    Host,
    LocalPath,
    LogFormat,
    LogLevel,
    Milliseconds,
    ModelName,
    PadValue,
    Port,
    Seconds,
    Sizes,
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BatchSettings(_Frozen):
    """How requests are gathered into batches: once for all models, and per model."""

    batching: BatchingMode = Field(
        default="auto",
        description="Batch requests: auto (where the signature and the load-time check allow it), "
        "on or off.",
    )
    max_batch_size: Count = Field(default=32, description="Most rows in one batch.")
    batch_timeout_ms: Milliseconds = Field(
        default=0.0,
        description="Longest wait of the oldest row for a fuller batch, in ms; 0 takes what is "
        "there as soon as a device is free.",
    )
    max_queue_rows: Count = Field(
        default=4096, description="Most rows waiting for a device, per queue."
    )
    queue_budget_ms: Milliseconds = Field(
        default=0.0,
        description="Refuse a request whose predicted wait in the queue is longer, in ms; 0 looks "
        "at the request's own deadline only.",
    )
    allowed_batch_sizes: Sizes = Field(
        default=(),
        description="Batch sizes to pad up to, ascending, the last one max_batch_size; empty "
        "allows any size.",
    )
    split_large_requests: bool = Field(
        default=True,
        description="Run a request of more than max_batch_size rows in several batches.",
    )
    isolate_failures: bool = Field(
        default=True,
        description="Run a failed batch again in parts, so that only the culprit fails.",
    )
    warmup: bool = Field(
        default=True,
        description="Run each signature before it takes requests, which also checks whether its "
        "requests may share a batch.",
    )


class PadSettings(_Frozen):
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


class ModelSettings(_Frozen):
    """One model; a batching setting of ``None`` takes the value of the same name above it."""

    base_path: LocalPath = Field(default="", description="Folder of the numbered version folders.")
    batching: BatchingMode | None = None
    max_batch_size: Count | None = None
    batch_timeout_ms: Milliseconds | None = None
    max_queue_rows: Count | None = None
    queue_budget_ms: Milliseconds | None = None
    allowed_batch_sizes: Sizes | None = None
    split_large_requests: bool | None = None
    isolate_failures: bool | None = None
    warmup: bool | None = None
    devices: Devices = Field(
        default=(), description="Devices that run this model; empty is all of them."
    )
    length_patience_ms: Milliseconds = Field(
        default=250.0,
        description="How long a row may be passed over by rows that fit the batch's length "
        "bucket better, in ms.",
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


class ResolvedModel(BatchSettings):
    """What is in force for one model."""

    name: str
    base_path: Path
    devices: tuple[str, ...]
    """Empty: all the host's devices."""
    length_patience_ms: float
    padding: dict[str, PadSettings]
    trim: dict[str, dict[int, str]]


class Settings(BatchSettings):
    """The whole configuration. The fields of BatchSettings are the models' defaults."""

    model_name: ModelName = Field(
        default="default", description="Name of the model in model_base_path."
    )
    model_base_path: LocalPath = Field(
        default="", description="Folder of one model's numbered version folders."
    )
    model_config_file: str = Field(
        default="", description="TF Serving's ModelServerConfig text file, for several models."
    )
    models: dict[ModelName, ModelSettings] = Field(
        default={}, description="Models and what differs for them, by name."
    )

    host: Host = Field(
        default="localhost",
        description="Address to listen on; localhost is both loopback families, 0.0.0.0 or :: "
        "opens the server to the network.",
    )
    rest_api_port: Port = Field(
        default=8501, description="Port of the REST API; 0 lets the system choose one."
    )
    port: Port = Field(
        default=0, description="Port of the gRPC API, which is not served yet; 0 is off."
    )
    rest_api_timeout_in_ms: Count = Field(
        default=30_000, description="Deadline of a request, in ms; then it fails with 504."
    )
    max_body_bytes: Count = Field(
        64 * 1024 * 1024, description="Largest request body, in bytes; larger ones get 413."
    )
    drain_timeout_s: Seconds = Field(
        default=25.0, description="Longest wait for running requests at shutdown, in seconds."
    )
    server_timing: bool = Field(
        default=False, description="Tell clients where the time went (Server-Timing header)."
    )
    devices: Devices = Field(
        default=(),
        description="Devices to run models on, like cpu:0,cpu:1; empty is one logical CPU a core "
        "and all GPUs.",
    )
    log_level: LogLevel = Field(
        default="info", description="Least severity logged: debug to error."
    )
    log_format: LogFormat = Field(
        default="auto",
        description="Form of the log: json, console, or auto (console on a terminal).",
    )

    def model_names(self) -> tuple[str, ...]:
        """Names of the models to serve, in the order of configuration."""
        return tuple(self._models_to_serve())

    def for_model(self, name: str) -> ResolvedModel:
        """What is in force for the model ``name``. Raises KeyError when there is no such model."""
        own = self._models_to_serve()[name]
        batch: dict[str, Any] = {}
        for setting in BatchSettings.model_fields:
            override = getattr(own, setting)
            batch[setting] = getattr(self, setting) if override is None else override
        return ResolvedModel(
            name=name,
            base_path=Path(own.base_path),
            devices=own.devices or self.devices,
            length_patience_ms=own.length_patience_ms,
            padding=own.padding,
            trim=own.trim,
            **batch,
        )

    def _models_to_serve(self) -> Mapping[str, ModelSettings]:
        """``models``, and the one of ``model_base_path`` unless a model config file overrides it.

        ``load`` writes that one into ``models`` as well; Settings made in code need not.
        """
        named = self.models.get(self.model_name, ModelSettings())
        if not self.model_base_path or self.model_config_file or named.base_path:
            return self.models
        single = named.model_copy(update={"base_path": self.model_base_path})
        return {**self.models, self.model_name: single}
