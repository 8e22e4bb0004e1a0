"""TF Serving's flags that are not settings here, so that a migrating user is told and not
corrected (tensorflow_model_server, model_servers/main.cc)."""

from __future__ import annotations

_INSTEAD = {
    "enable_batching": "requests are batched already, see --batching",
    "batching_parameters_file": "set --max_batch_size, --batch_timeout_ms, --allowed_batch_sizes",
    "enable_per_model_batching_parameters": "set GATEWAY_MODEL__<NAME>__<SETTING> or TOML",
    "enable_model_warmup": "use --warmup",
}

_WITHOUT_EQUIVALENT = frozenset(
    [
        "allow_version_labels_for_unavailable_models",
        "enable_grpc_healthcheck_service",
        "enable_profiler",
        "enable_serialization_as_tensor_content",
        "enable_signature_method_name_check",
        "file_system_poll_wait_seconds",
        "flush_filesystem_caches",
        "grpc_channel_arguments",
        "grpc_max_threads",
        "grpc_socket_path",
        "load_retry_interval_micros",
        "max_num_load_retries",
        "mixed_precision",
        "model_config_file_poll_wait_seconds",
        "monitoring_config_file",
        "num_load_threads",
        "num_request_iterations_for_warmup",
        "num_tflite_interpreters_per_pool",
        "num_tflite_pools",
        "num_unload_threads",
        "per_process_gpu_memory_fraction",
        "platform_config_file",
        "prefer_tflite_model",
        "remove_unused_fields_from_bundle_metagraph",
        "rest_api_enable_cors_support",
        "rest_api_num_threads",
        "saved_model_tags",
        "skip_initialize_tpu",
        "ssl_config_file",
        "tensorflow_inter_op_parallelism",
        "tensorflow_intra_op_parallelism",
        "tensorflow_session_config_file",
        "tensorflow_session_parallelism",
        "thread_pool_factory_config_file",
        "use_alts_credentials",
        "xla_cpu_compilation_enabled",
        "xla_gpu_compilation_enabled",
    ]
)


def explain_flag(name: str) -> str | None:
    """What to tell about TF Serving's flag ``name``; None when it is none of them."""
    if name in _INSTEAD:
        return f"TF Serving's --{name} is not supported: {_INSTEAD[name]}"
    if name in _WITHOUT_EQUIVALENT:
        return f"TF Serving's --{name} is not supported by this version"
    return None
