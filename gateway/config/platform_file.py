"""TF Serving's PlatformConfigMap text: how the tensorflow platform loads and batches models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.config.batching_file import batch_settings, unused_fields
from gateway.config.model_config_file import PLATFORM
from gateway.config.proto_text import Path, ProtoFile, parse

_ADAPTER = "tensorflow.serving.SavedModelBundleSourceAdapterConfig"

_SESSION = {
    "intra_op_parallelism_threads": "tensorflow_intra_op_parallelism",
    "inter_op_parallelism_threads": "tensorflow_inter_op_parallelism",
}
_GPU_FRACTION = "per_process_gpu_memory_fraction"
_USED = frozenset(
    [
        "batching_parameters",
        "enable_model_warmup",
        "enable_per_model_batching_params",
        "mixed_precision",
        "model_warmup_options",
        "saved_model_tags",
        "session_config",
    ]
)


@dataclass(frozen=True, slots=True)
class Platform:
    """What the file says."""

    settings: dict[str, object]
    unused: tuple[str, ...]
    """Fields, dotted, that are set and have no meaning here."""


def read_platform_config(text: str, label: str) -> Platform:
    """Settings of the platform ``tensorflow``. Raises ConfigError."""
    from gateway.protos.config_files import POOL, PlatformConfigMap

    file = parse(text, PlatformConfigMap(), label, POOL)
    platforms = file.message.platform_configs
    if PLATFORM not in platforms:
        raise file.error((), f'platform_configs has no key "{PLATFORM}"')
    others = tuple(f"platform_configs {name}" for name in sorted(platforms) if name != PLATFORM)
    config = _legacy_config(file, platforms[PLATFORM].source_adapter_config)
    place = _place(file) if not others else ()
    return Platform(_settings(file, config, place), (*_unused(config), *others))


def _legacy_config(file: ProtoFile, packed: Any) -> Any:
    from gateway.protos.config_files import SavedModelBundleSourceAdapterConfig

    adapter = SavedModelBundleSourceAdapterConfig()
    if not packed.Unpack(adapter):
        path = ("platform_configs", "value", "source_adapter_config")
        raise file.error(path, f"source_adapter_config must be a [type.googleapis.com/{_ADAPTER}]")
    return adapter.legacy_config


def _place(file: ProtoFile) -> Path:
    adapter = f"type.googleapis.com/{_ADAPTER}"
    return ("platform_configs", "value", "source_adapter_config", adapter, "legacy_config")


def _settings(file: ProtoFile, config: Any, place: Path) -> dict[str, object]:
    settings = _session_settings(config.session_config)
    if config.HasField("batching_parameters"):
        settings["batching"] = "auto"
        place = (*place, "batching_parameters") if place else ()
        settings |= batch_settings(file, config.batching_parameters, place)
    if config.saved_model_tags:
        settings["saved_model_tags"] = tuple(config.saved_model_tags)
    if config.HasField("enable_model_warmup"):
        settings["enable_model_warmup"] = config.enable_model_warmup
    if config.model_warmup_options.HasField("num_request_iterations"):
        iterations = config.model_warmup_options.num_request_iterations.value
        settings["num_request_iterations_for_warmup"] = iterations
    if config.mixed_precision:
        settings["mixed_precision"] = config.mixed_precision
    if config.enable_per_model_batching_params:
        settings["enable_per_model_batching_parameters"] = True
    return settings


def _session_settings(session: Any) -> dict[str, object]:
    settings: dict[str, object] = {}
    for field, setting in _SESSION.items():
        if getattr(session, field) > 0:
            settings[setting] = getattr(session, field)
    if session.gpu_options.per_process_gpu_memory_fraction:
        settings[_GPU_FRACTION] = session.gpu_options.per_process_gpu_memory_fraction
    return settings


def _unused(config: Any) -> Iterator[str]:
    for field, _ in config.ListFields():
        if field.name not in _USED:
            yield field.name
    for field, _ in config.session_config.ListFields():
        if field.name not in (*_SESSION, "gpu_options"):
            yield f"session_config.{field.name}"
    for field, _ in config.session_config.gpu_options.ListFields():
        if field.name != _GPU_FRACTION:
            yield f"session_config.gpu_options.{field.name}"
    for name in unused_fields(config.batching_parameters):
        yield f"batching_parameters.{name}"
