"""Every flag of tensorflow_model_server: accepted, with its effect or with a note on why it has
none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import Server, invoke

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

pytestmark = pytest.mark.usefixtures("clean_environment")

MODEL = "--model_base_path=/m"

# The flag as it is given, the attribute of Settings (the flag's name if empty), its value.
WITH_EFFECT: list[tuple[str, str, object]] = [
    ("--rest_api_port=9000", "", 9000),
    ("--rest_api_timeout_in_ms=500", "", 500),
    ("--rest_api_enable_cors_support", "", True),
    ("--model_name=n", "", "n"),
    ("--model_base_path=/other", "", "/other"),
    ("--model_config_file=models.conf", "", "models.conf"),
    ("--model_config_file_poll_wait_seconds=2", "", 2.0),
    ("--model_config_file_poll_wait_seconds=-1", "", 0.0),
    ("--file_system_poll_wait_seconds=0", "", 0.0),
    ("--file_system_poll_wait_seconds=-1", "", -1.0),
    ("--enable_batching=false", "batching", "off"),
    ("--enable_batching", "batching", "auto"),
    ("--enable_per_model_batching_parameters", "", True),
    ("--allow_version_labels_for_unavailable_models", "", True),
    ("--num_load_threads=4", "", 4),
    ("--num_unload_threads=2", "", 2),
    ("--max_num_load_retries=0", "", 0),
    ("--load_retry_interval_micros=1000", "", 1000),
    ("--enable_model_warmup=false", "", False),
    ("--num_request_iterations_for_warmup=3", "", 3),
    ("--tensorflow_session_parallelism=3", "tensorflow_intra_op_parallelism", 3),
    ("--tensorflow_session_parallelism=3", "tensorflow_inter_op_parallelism", 3),
    ("--tensorflow_intra_op_parallelism=2", "", 2),
    ("--tensorflow_inter_op_parallelism=2", "", 2),
    ("--per_process_gpu_memory_fraction=0.5", "", 0.5),
    ("--saved_model_tags=serve,gpu", "", ("serve", "gpu")),
    ("--enable_signature_method_name_check=1", "", True),
    ("--mixed_precision=bfloat16", "", "bfloat16"),
    ("--xla_cpu_compilation_enabled", "", True),
    ("--xla_gpu_compilation_enabled=true", "", True),
    ("--port=9001", "", 9001),
    ("--grpc_socket_path=/run/s", "", "/run/s"),
    ("--grpc_channel_arguments=a=1,b=x", "", "a=1,b=x"),
    ("--enable_grpc_healthcheck_service=false", "", False),
    ("--enable_serialization_as_tensor_content", "", True),
]

WITH_A_FILE = {
    "batching_parameters_file": "max_batch_size { value: 64 }",
    "monitoring_config_file": 'prometheus_config { enable: true path: "/m" }',
    "tensorflow_session_config_file": "allow_soft_placement: true",
    "platform_config_file": 'platform_configs { key: "tensorflow" value { source_adapter_config {'
    " [type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig] {} } } }",
}

NO_TFLITE = "models are served from their SavedModel"
WITHOUT_EFFECT = [
    (
        "--grpc_max_threads=8",
        "one event loop takes all calls; max_queue_rows bounds those that wait",
    ),
    ("--use_alts_credentials=false", "ALTS is not supported"),
    ("--enable_profiler=false", "TensorFlow's profiler is not served"),
    (
        "--rest_api_num_threads=16",
        "one event loop takes all connections, and each device has a thread (see devices)",
    ),
    (
        "--thread_pool_factory_config_file=pool.conf",
        "each device has a thread of its own (see devices)",
    ),
    ("--flush_filesystem_caches=false", "no cache is kept of the files that are read"),
    ("--prefer_tflite_model", NO_TFLITE),
    ("--num_tflite_pools=2", NO_TFLITE),
    ("--num_tflite_interpreters_per_pool=2", NO_TFLITE),
    (
        "--remove_unused_fields_from_bundle_metagraph=false",
        "of the MetaGraph only the signatures are kept",
    ),
    ("--skip_initialize_tpu", "no TPU is initialized"),
]

# main.cc's table, so that none is forgotten here.
ALL_FLAGS = """
allow_version_labels_for_unavailable_models batching_parameters_file enable_batching
enable_grpc_healthcheck_service enable_model_warmup enable_per_model_batching_parameters
enable_profiler enable_serialization_as_tensor_content enable_signature_method_name_check
file_system_poll_wait_seconds flush_filesystem_caches grpc_channel_arguments grpc_max_threads
grpc_socket_path load_retry_interval_micros max_num_load_retries mixed_precision model_base_path
model_config_file model_config_file_poll_wait_seconds model_name monitoring_config_file
num_load_threads num_request_iterations_for_warmup num_tflite_interpreters_per_pool
num_tflite_pools num_unload_threads per_process_gpu_memory_fraction platform_config_file port
prefer_tflite_model remove_unused_fields_from_bundle_metagraph rest_api_enable_cors_support
rest_api_num_threads rest_api_port rest_api_timeout_in_ms saved_model_tags skip_initialize_tpu
ssl_config_file tensorflow_inter_op_parallelism tensorflow_intra_op_parallelism
tensorflow_session_config_file tensorflow_session_parallelism thread_pool_factory_config_file
use_alts_credentials version xla_cpu_compilation_enabled xla_gpu_compilation_enabled
"""


def name_of(flag: str) -> str:
    return flag.removeprefix("--").partition("=")[0]


def spaced(flag: str) -> list[str]:
    """``--flag value``"""
    name, _, value = flag.partition("=")
    return [name, value] if value else [name]


def test_each_flag_of_tensorflow_serving_is_covered() -> None:
    tested = {name_of(flag) for flag, *_ in (*WITH_EFFECT, *WITHOUT_EFFECT)} | WITH_A_FILE.keys()
    assert tested | {"ssl_config_file", "version"} == set(ALL_FLAGS.split())


@pytest.mark.parametrize(("flag", "attribute", "value"), WITH_EFFECT)
def test_flags_with_effect(
    server: Server, models_file: str, flag: str, attribute: str, value: object
) -> None:
    for spelling in ([flag], spaced(flag)):
        result = invoke(MODEL, *spelling)
        assert result.exit_code == 0
        assert server.settings is not None
        assert getattr(server.settings, attribute or name_of(flag)) == value
        names_models = "model_config_file=" in flag
        assert result.output == "" or names_models


@pytest.mark.parametrize(("name", "text"), WITH_A_FILE.items())
def test_flags_that_name_a_file(server: Server, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "given.conf").write_text(text)
    switch = ["--enable_batching"] if name == "batching_parameters_file" else []
    result = invoke(MODEL, *switch, f"--{name}=given.conf")
    assert (result.exit_code, result.output) == (0, "")
    missing = invoke(MODEL, *switch, f"--{name}=missing.conf")
    assert missing.exit_code == 3
    assert "missing.conf" in missing.stderr
    assert missing.stderr.endswith("cannot be read: No such file or directory\n")


@pytest.mark.parametrize(("flag", "why"), WITHOUT_EFFECT)
def test_flags_without_effect_are_noted(server: Server, flag: str, why: str) -> None:
    for spelling in ([flag], spaced(flag)):
        result = invoke(MODEL, *spelling)
        assert result.exit_code == 0
        assert result.stderr == f"note: flag --{name_of(flag)} has no effect: {why}\n"
        assert server.settings is not None


def test_nothing_is_noted_of_flags_that_are_not_given(server: Server) -> None:
    assert invoke(MODEL).output == ""


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            {"enable_profiler": "maybe"},
            'flag --enable_profiler must be true or false, not "maybe"',
        ),
        (
            {"grpc_max_threads": "many"},
            'flag --grpc_max_threads must be a whole number, not "many"',
        ),
        (
            {"mixed_precision": "float16"},
            "mixed_precision must be '' or 'bfloat16', not \"float16\" (flag --mixed_precision)",
        ),
        (
            {"per_process_gpu_memory_fraction": "1.5"},
            "per_process_gpu_memory_fraction must be at most 1, not 1.5 "
            "(flag --per_process_gpu_memory_fraction)",
        ),
        (
            {"num_load_threads": "-1"},
            "num_load_threads must be at least 0, not -1 (flag --num_load_threads)",
        ),
        (
            {"saved_model_tags": "serve,serve"},
            'saved_model_tags must not name anything twice, not ["serve", "serve"] '
            "(flag --saved_model_tags)",
        ),
        (
            {
                "tensorflow_session_parallelism": "1",
                "tensorflow_intra_op_parallelism": "2",
                "tensorflow_inter_op_parallelism": "3",
            },
            "the first of these sets the other two, leave some out: "
            "tensorflow_session_parallelism = 1 (flag --tensorflow_session_parallelism); "
            "tensorflow_intra_op_parallelism = 2 (flag --tensorflow_intra_op_parallelism); "
            "tensorflow_inter_op_parallelism = 3 (flag --tensorflow_inter_op_parallelism)",
        ),
    ],
)
def test_values_that_are_refused(refuse: Refuse, flags: dict[str, str], line: str) -> None:
    assert refuse(flags=flags) == line


def test_one_kind_of_parallelism_may_differ(configure: Configure) -> None:
    flags = {"tensorflow_session_parallelism": "4", "tensorflow_inter_op_parallelism": "1"}
    loaded = configure(flags=flags)
    assert loaded.settings.tensorflow_intra_op_parallelism == 4
    assert loaded.settings.tensorflow_inter_op_parallelism == 1
    origin = loaded.origins["tensorflow_intra_op_parallelism"]
    assert origin == "flag --tensorflow_session_parallelism"


@pytest.mark.parametrize(
    ("given", "batching", "origin"),
    [
        ({"flags": {"enable_batching": "0"}}, "off", "flag --enable_batching"),
        (
            {"flags": {"enable_batching": "false", "batching": "on"}},
            "on",
            "flag --batching",
        ),
        (
            {"flags": {"enable_batching": "false"}, "toml": "batching = 'on'"},
            "on",
            "tensorgate.toml",
        ),
        (
            {"environ": {"GATEWAY_ENABLE_BATCHING": "false"}},
            "off",
            "environment GATEWAY_ENABLE_BATCHING",
        ),
        ({}, "auto", "default"),
    ],
)
def test_batching_under_its_own_name_is_stronger(
    configure: Configure, given: dict[str, Any], batching: str, origin: str
) -> None:
    loaded = configure(**given)
    assert loaded.settings.batching == batching
    assert loaded.origins["batching"] == origin
