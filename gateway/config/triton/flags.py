"""tritonserver's flags: those that are settings under another name, those without effect here, and
those that it would be wrong to pass over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config.errors import ConfigError
from gateway.config.layers import Found, Rank
from gateway.config.settings import Settings
from gateway.config.tensorflow_serving import UnusedFlag, check_value
from gateway.config.text import decode, decode_scalar
from gateway.config.wording import Key, quoted


@dataclass(frozen=True, slots=True)
class OtherName:
    """A flag that is a setting under another name."""

    setting: str
    only: str = ""
    """Just this value sets it; the others are what is the case anyway."""
    value: str = ""
    """What ``only`` is for the setting."""


OTHER_NAMES: Mapping[str, OtherName] = {
    "model_store": OtherName("model_repository"),
    "disable_auto_complete_config": OtherName("strict_model_config"),
    "http_port": OtherName("rest_api_port"),
    "http_address": OtherName("host"),
    "grpc_port": OtherName("port"),
    "allow_grpc": OtherName("port", only="false", value="0"),
    "http_max_input_size": OtherName("max_body_bytes"),
    "exit_timeout_secs": OtherName("drain_timeout_s"),
    "model_load_thread_count": OtherName("num_load_threads"),
    "model_load_retry_count": OtherName("max_num_load_retries"),
}

_ONE_PORT = "metrics are at /metrics of the REST port"
_NO_CACHE = "answers are not cached"
_TRACES = "requests are not traced; the request log is --request_log"
_LOGS = "see --log_level and --log_format"
_THREADS = "one event loop takes all connections, and each device has a thread (see devices)"
_MEMORY = "TensorFlow manages the memory of its devices"
_TURNS = "models take turns at the devices"

UNUSED: Mapping[str, UnusedFlag] = {
    "allow_http": UnusedFlag(bool, "REST is always there"),
    "allow_metrics": UnusedFlag(bool, _ONE_PORT),
    "allow_gpu_metrics": UnusedFlag(bool, "GPUs have no metrics here"),
    "allow_cpu_metrics": UnusedFlag(bool, "the host's CPUs have no metrics here"),
    "metrics_port": UnusedFlag(int, _ONE_PORT),
    "metrics_address": UnusedFlag(str, _ONE_PORT),
    "metrics_interval_ms": UnusedFlag(int, "metrics are read when they are asked for"),
    "metrics_config": UnusedFlag(str, "histograms are always there"),
    "grpc_address": UnusedFlag(str, "gRPC listens where REST does (see host)"),
    "reuse_http_port": UnusedFlag(bool, "a port is for one server"),
    "reuse_grpc_port": UnusedFlag(bool, "a port is for one server"),
    "http_thread_count": UnusedFlag(int, _THREADS),
    "grpc_infer_thread_count": UnusedFlag(int, _THREADS),
    "grpc_infer_allocation_pool_size": UnusedFlag(int, _THREADS),
    "grpc_max_response_pool_size": UnusedFlag(int, _THREADS),
    "grpc_infer_response_compression_level": UnusedFlag(str, "answers are not compressed"),
    "http_header_forward_pattern": UnusedFlag(str, "models do not see headers"),
    "grpc_header_forward_pattern": UnusedFlag(str, "models do not see headers"),
    "buffer_manager_thread_count": UnusedFlag(int, _THREADS),
    "pinned_memory_pool_byte_size": UnusedFlag(int, _MEMORY),
    "cuda_memory_pool_byte_size": UnusedFlag(str, _MEMORY),
    "cuda_virtual_address_size": UnusedFlag(str, _MEMORY),
    "min_supported_compute_capability": UnusedFlag(str, _MEMORY),
    "model_load_gpu_limit": UnusedFlag(str, _MEMORY),
    "response_cache_byte_size": UnusedFlag(int, _NO_CACHE),
    "cache_config": UnusedFlag(str, _NO_CACHE),
    "cache_directory": UnusedFlag(str, _NO_CACHE),
    "rate_limit": UnusedFlag(str, _TURNS),
    "rate_limit_resource": UnusedFlag(str, _TURNS),
    "backend_directory": UnusedFlag(str, "TensorFlow is part of this server"),
    "backend_config": UnusedFlag(str, "see the TensorFlow flags"),
    "repoagent_directory": UnusedFlag(str, "repository agents are not run"),
    "host_policy": UnusedFlag(str, "host policies are not known"),
    "trace_config": UnusedFlag(str, _TRACES),
    "trace_file": UnusedFlag(str, _TRACES),
    "trace_level": UnusedFlag(str, _TRACES),
    "trace_rate": UnusedFlag(int, _TRACES),
    "trace_count": UnusedFlag(int, _TRACES),
    "trace_log_frequency": UnusedFlag(int, _TRACES),
    "log_verbose": UnusedFlag(int, _LOGS),
    "log_info": UnusedFlag(bool, _LOGS),
    "log_warning": UnusedFlag(bool, _LOGS),
    "log_error": UnusedFlag(bool, _LOGS),
    "log_file": UnusedFlag(str, "the log goes to standard error"),
    "id": UnusedFlag(str, "the server has one name"),
}

_RIGHTS = "it would leave open what it is to close; put a proxy with access rules in front"
_TLS = "gRPC over TLS is told with --ssl_config_file"
REFUSED: Mapping[str, UnusedFlag] = {
    "http_restricted_api": UnusedFlag(str, _RIGHTS),
    "grpc_restricted_protocol": UnusedFlag(str, _RIGHTS),
    "grpc_use_ssl": UnusedFlag(bool, _TLS),
    "grpc_use_ssl_mutual": UnusedFlag(bool, _TLS),
    "grpc_server_cert": UnusedFlag(str, _TLS),
    "grpc_server_key": UnusedFlag(str, _TLS),
    "grpc_root_cert": UnusedFlag(str, _TLS),
    "model_namespacing": UnusedFlag(bool, "a name stands for one model"),
}
"""Switches among them may be given as false."""

FLAGS = frozenset([*OTHER_NAMES, *UNUSED, *REFUSED])


def triton_layer(flags: Mapping[str, str]) -> dict[Key, Found]:
    """The settings that ``flags`` are under other names. Raises ConfigError for one of REFUSED, and
    when a setting is given under both of its names."""
    _refuse(flags)
    layer: dict[Key, Found] = {}
    for name, other in OTHER_NAMES.items():
        if name not in flags or (other.only and not _is(flags[name], other.only)):
            continue
        origin = f"flag --{name}"
        if other.setting in flags:
            raise ConfigError(f"{origin} and flag --{other.setting} set the same; leave one out")
        text = other.value or flags[name]
        layer[other.setting,] = Found(
            decode(text, Settings, other.setting, origin), origin, Rank.FLAG
        )
    return layer


def check_unused(flags: Mapping[str, str]) -> Iterator[str]:
    """A note for each of ``flags`` without effect. Raises ConfigError for a value that is not of
    the flag's kind."""
    for name, text in flags.items():
        if name in UNUSED:
            check_value(name, text, UNUSED[name].kind)
            yield f"flag --{name} has no effect: {UNUSED[name].why}"


def _refuse(flags: Mapping[str, str]) -> None:
    for name, flag in REFUSED.items():
        text = flags.get(name, "")
        if text and not (flag.kind is bool and _is(text, "false")):
            raise ConfigError(f"flag --{name}={quoted(text)} is not supported: {flag.why}")


def _is(text: str, switch: str) -> bool:
    return decode_scalar(text, bool) is (switch == "true")
