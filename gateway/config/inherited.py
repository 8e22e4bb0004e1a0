"""Settings that stand once for all models and, under the same name, for a single one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from gateway.config.fields import (
    AUTO_BATCH_SIZE,
    BatchingMode,
    BatchSize,
    Bytes,
    Count,
    Fraction,
    Milliseconds,
    PositiveSeconds,
    RequestLogFormat,
    Sizes,
    VersionSwap,
)


class Frozen(BaseModel):
    """Settings that cannot be changed, take their own types only, and refuse unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BatchSettings(Frozen):
    """How requests are gathered into batches."""

    batching: BatchingMode = Field(
        default="auto",
        description="Batch requests: auto (where the signature and the load-time check allow it), "
        "on or off.",
    )
    max_batch_size: BatchSize = Field(
        default=AUTO_BATCH_SIZE,
        description="Most rows in one batch; auto finds out how many pay, from 32 up to 512.",
    )
    adaptive_batching: bool = Field(
        default=True,
        description="End batches where more rows no longer pay, and spread them over free devices; "
        "false takes what waits, up to max_batch_size (auto: 32).",
    )
    batch_timeout_ms: Milliseconds = Field(
        default=0.0,
        description="Longest wait of the oldest row for a fuller batch, in ms; 0 takes what is "
        "there as soon as a device is free.",
    )
    max_queue_rows: Count = Field(
        default=4096,
        description="Most rows waiting for a device, per queue; where requests are not batched, "
        "most requests.",
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
    pad_variable_length_inputs: bool = Field(
        default=False,
        description="Pad inputs whose shapes differ within a batch to the longest of each axis.",
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


class VersionSettings(Frozen):
    """How a model's versions follow each other."""

    version_swap: VersionSwap = Field(
        default="availability_preserving",
        description="Load the new version before the old one goes (availability_preserving), or "
        "after it went, for want of memory (resource_preserving).",
    )
    servable_versions_always_present: bool = Field(
        default=True,
        description="Keep serving the loaded versions when no version folder is left.",
    )
    golden_answers: str = Field(
        default="",
        description="File of requests with their right answers, in the version's folder or with "
        "an absolute path; a version that answers otherwise takes no requests.",
    )
    step_back: bool = Field(
        default=False,
        description="Go back to the version before when a new one fails more often than it.",
    )
    step_back_min_requests: Count = Field(
        default=50, description="Least requests of a version before step_back judges it."
    )
    step_back_window_s: PositiveSeconds = Field(
        default=60.0, description="How long step_back watches a new version, in seconds."
    )


class RequestLogSettings(Frozen):
    """The log of requests with their answers."""

    request_log: str = Field(
        default="", description="File to log requests and their answers in; empty logs none."
    )
    request_log_format: RequestLogFormat = Field(
        default="jsonl",
        description="Form of the request log: jsonl (JSON lines) or tfrecord (TFRecords of "
        "PredictionLog, which can be replayed as warm-up).",
    )
    request_log_sampling_rate: Fraction = Field(
        default=1.0, description="Share of the requests that are logged, 0 to 1."
    )
    request_log_max_bytes: Bytes = Field(
        default=100 * 1024 * 1024, description="Size at which the request log starts a new file."
    )
    request_log_max_files: Count = Field(
        default=5, description="Most files of one request log; the oldest goes."
    )


class InheritedSettings(BatchSettings, VersionSettings, RequestLogSettings):
    """All settings that a model takes from the server unless it has its own."""


class Overrides(Frozen):
    """The fields of InheritedSettings; one that is ``None`` takes the server's value."""

    batching: BatchingMode | None = None
    max_batch_size: BatchSize | None = None
    adaptive_batching: bool | None = None
    batch_timeout_ms: Milliseconds | None = None
    max_queue_rows: Count | None = None
    queue_budget_ms: Milliseconds | None = None
    allowed_batch_sizes: Sizes | None = None
    split_large_requests: bool | None = None
    pad_variable_length_inputs: bool | None = None
    isolate_failures: bool | None = None
    warmup: bool | None = None
    version_swap: VersionSwap | None = None
    servable_versions_always_present: bool | None = None
    golden_answers: str | None = None
    step_back: bool | None = None
    step_back_min_requests: Count | None = None
    step_back_window_s: PositiveSeconds | None = None
    request_log: str | None = None
    request_log_format: RequestLogFormat | None = None
    request_log_sampling_rate: Fraction | None = None
    request_log_max_bytes: Bytes | None = None
    request_log_max_files: Count | None = None
