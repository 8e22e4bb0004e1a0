"""The settings in the order and under the headings that people read them."""

from __future__ import annotations

from gateway.config.grpc_settings import GrpcSettings
from gateway.config.inherited import BatchSettings, RequestLogSettings, VersionSettings
from gateway.config.server_settings import (
    BatchingFileSettings,
    HostSettings,
    LifecycleSettings,
    MetricsSettings,
    NetworkSettings,
    RepositorySettings,
    TensorFlowSettings,
)

SECTIONS = {
    "Models": ("model_name", "model_base_path", "model_config_file"),
    "Triton's model repository": (
        "model_repository",
        "load_model",
        *RepositorySettings.model_fields,
    ),
    "Server": tuple(NetworkSettings.model_fields),
    "gRPC": tuple(GrpcSettings.model_fields),
    "Batching (per model as well)": tuple(BatchSettings.model_fields),
    "Batching as TF Serving is told": tuple(BatchingFileSettings.model_fields),
    "Versions (per model as well)": tuple(VersionSettings.model_fields),
    "Loading": tuple(LifecycleSettings.model_fields),
    "TensorFlow": tuple(TensorFlowSettings.model_fields),
    "Request log (per model as well)": tuple(RequestLogSettings.model_fields),
    "Metrics": tuple(MetricsSettings.model_fields),
    "Devices and log": tuple(HostSettings.model_fields),
}
"""Every setting that has a flag, once; ``models`` has none."""
