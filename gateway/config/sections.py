"""The settings in the order and under the headings that people read them."""

from __future__ import annotations

from gateway.config.settings import BatchSettings

SECTIONS = {
    "Models": ("model_name", "model_base_path", "model_config_file"),
    "Server": (
        "host",
        "rest_api_port",
        "port",
        "rest_api_timeout_in_ms",
        "max_body_bytes",
        "drain_timeout_s",
        "server_timing",
    ),
    "Batching (per model as well)": tuple(BatchSettings.model_fields),
    "Devices": ("devices",),
    "Log": ("log_level", "log_format"),
}
"""Every setting that has a flag, once; ``models`` has none."""
