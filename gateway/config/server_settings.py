"""Settings of the whole server that no model can have for itself."""

from __future__ import annotations

from pydantic import Field

from gateway.config.fields import (
    ControlMode,
    Count,
    Devices,
    FileStem,
    Fraction,
    Host,
    LogFormat,
    LogLevel,
    MetricsPath,
    MixedPrecision,
    Natural,
    PauseSeconds,
    PollSeconds,
    Port,
    PositiveSeconds,
    Seconds,
    Tags,
    Workers,
)
from gateway.config.grpc_settings import GrpcSettings
from gateway.config.inherited import Frozen

DEFAULT_WORKERS = "0"


class NetworkSettings(Frozen):
    """Where and how the server listens."""

    host: Host = Field(
        default="localhost",
        description="Address to listen on; localhost is both loopback families, 0.0.0.0 or :: "
        "opens the server to the network.",
    )
    rest_api_port: Port = Field(
        default=8501, description="Port of the REST API; 0 lets the system choose one."
    )
    rest_api_timeout_in_ms: Count = Field(
        default=30_000, description="Deadline of a request, in ms; then it fails with 504."
    )
    max_body_bytes: Count = Field(
        64 * 1024 * 1024,
        description="Largest request body or gRPC message, in bytes; larger ones get 413.",
    )
    drain_timeout_s: Seconds = Field(
        default=25.0, description="Longest wait for running requests at shutdown, in seconds."
    )
    workers: Workers = Field(
        default=DEFAULT_WORKERS,
        description="Processes that take connections in front of the one that runs the models; 0 "
        "is one process for all, auto is chosen for the host.",
    )
    hot_path: bool = Field(
        default=True,
        description="Answer plain predict requests without aiohttp, which takes the others.",
    )
    server_timing: bool = Field(
        default=False, description="Tell clients where the time went (Server-Timing header)."
    )
    rest_api_enable_cors_support: bool = Field(
        default=False, description="Let web pages of any origin call the REST API (CORS)."
    )
    ssl_certificate_file: str = Field(
        default="", description="Certificate chain of the REST API, PEM; with it REST is HTTPS."
    )
    ssl_key_file: str = Field(default="", description="Private key of the certificate, PEM.")
    ssl_client_ca_file: str = Field(
        default="",
        description="Authorities, PEM: clients must show a certificate that one of them signed.",
    )


class MetricsSettings(Frozen):
    """Metrics under TF Serving's names; ours are always at /metrics."""

    monitoring_config_file: str = Field(
        default="", description="TF Serving's MonitoringConfig text file: gives monitoring_path."
    )
    monitoring_path: MetricsPath = Field(
        default="/monitoring/prometheus/metrics",
        description="URL path of the metrics under TF Serving's names; empty is off.",
    )


class LifecycleSettings(Frozen):
    """When versions and models are looked for, loaded and unloaded."""

    file_system_poll_wait_seconds: PollSeconds = Field(
        default=1.0,
        description="Pause between looks for new versions, in seconds; 0 looks once, a negative "
        "value never.",
    )
    model_config_file_poll_wait_seconds: PauseSeconds = Field(
        default=0.0,
        description="Pause between looks for changed configuration files, in seconds; 0 is never.",
    )
    num_load_threads: Natural = Field(
        default=0, description="Versions loaded at once; 0 is chosen for the host."
    )
    num_unload_threads: Natural = Field(
        default=0, description="Versions unloaded at once; 0 is chosen for the host."
    )
    max_num_load_retries: Natural = Field(
        default=5, description="Times a failed load is tried again."
    )
    load_retry_interval_micros: Natural = Field(
        default=60_000_000, description="Longest pause before a failed load is tried again, in us."
    )
    allow_version_labels_for_unavailable_models: bool = Field(
        default=False, description="Let a new label name a version that is not loaded yet."
    )
    enable_model_warmup: bool = Field(
        default=True,
        description="Replay assets.extra/tf_serving_warmup_requests before a version is served.",
    )
    num_request_iterations_for_warmup: Natural = Field(
        default=0, description="Times each of these requests is replayed; 0 is once."
    )
    enable_signature_method_name_check: bool = Field(
        default=False,
        description="Refuse a signature whose method name is not that of the API called.",
    )


class RepositorySettings(Frozen):
    """How the models of a Triton model repository are served; Triton's flags of the same names."""

    model_control_mode: ControlMode = Field(
        default="none",
        description="Which models of the repository are served: none (those that are there at the "
        "start), poll (those that are there) or explicit (those that are loaded by name).",
    )
    repository_poll_secs: PositiveSeconds = Field(
        default=15.0, description="Pause between looks at the repository in mode poll, in seconds."
    )
    strict_model_config: bool = Field(
        default=False,
        description="Refuse a model whose config.pbtxt leaves open what the SavedModel could tell.",
    )
    model_config_name: FileStem = Field(
        default="", description="Read configs/NAME.pbtxt where a model has it, not config.pbtxt."
    )
    exit_on_error: bool = Field(
        default=False, description="Exit when a model of the start cannot be loaded."
    )
    strict_readiness: bool = Field(
        default=True, description="Ready when all models serve; else when all have been tried."
    )
    allow_client_shm: bool = Field(
        default=False, description="Let clients pass tensors in shared memory of this host."
    )


class TensorFlowSettings(Frozen):
    """How TensorFlow loads and runs models."""

    saved_model_tags: Tags = Field(
        default=("serve",), description="Tags of the graph to load from a SavedModel."
    )
    tensorflow_session_parallelism: Natural = Field(
        default=0, description="Sets both of the next two; 0 leaves them."
    )
    tensorflow_intra_op_parallelism: Natural = Field(
        default=0, description="Threads within one operation; 0 is chosen by the backend."
    )
    tensorflow_inter_op_parallelism: Natural = Field(
        default=0, description="Threads for operations side by side; 0 is chosen by the backend."
    )
    per_process_gpu_memory_fraction: Fraction = Field(
        default=0.0, description="Share of each GPU's memory to take; 0 leaves it to TensorFlow."
    )
    tensorflow_session_config_file: str = Field(
        default="", description="TensorFlow's ConfigProto as a text file."
    )
    mixed_precision: MixedPrecision = Field(
        default="", description="bfloat16 runs float32 operations in bfloat16 where it is safe."
    )
    xla_cpu_compilation_enabled: bool = Field(
        default=False, description="Compile graphs with XLA on CPUs."
    )
    xla_gpu_compilation_enabled: bool = Field(
        default=False, description="Compile graphs with XLA on GPUs."
    )
    platform_config_file: str = Field(
        default="", description="TF Serving's PlatformConfigMap text file."
    )


class BatchingFileSettings(Frozen):
    """TF Serving's own ways to set the batching settings; these are stronger than it."""

    enable_batching: bool = Field(
        default=True, description="TF Serving's switch: false is --batching=off."
    )
    batching_parameters_file: str = Field(
        default="", description="TF Serving's BatchingParameters text file."
    )
    enable_per_model_batching_parameters: bool = Field(
        default=False,
        description="Batch only versions that have a batching_params.pbtxt, as it says.",
    )


class HostSettings(Frozen):
    """What of the host is used, and the log."""

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


class ServerSettings(
    NetworkSettings,
    GrpcSettings,
    MetricsSettings,
    LifecycleSettings,
    RepositorySettings,
    TensorFlowSettings,
    BatchingFileSettings,
    HostSettings,
):
    """All settings of the server only."""
