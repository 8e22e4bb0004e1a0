"""TF Serving's PlatformConfigMap: what of it gives settings, what is noted, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

ADAPTER = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"
PLATFORM = {"platform_config_file": "platform.conf"}


def platform(legacy: str) -> str:
    return (
        'platform_configs { key: "tensorflow" value { source_adapter_config {\n'
        f"[{ADAPTER}] {{ legacy_config {{\n{legacy}\n}} }} }} }} }}"
    )


FULL = """
batching_parameters { max_batch_size { value: 64 } }
session_config {
  intra_op_parallelism_threads: 3
  inter_op_parallelism_threads: 4
  gpu_options { per_process_gpu_memory_fraction: 0.5 }
}
saved_model_tags: "serve" saved_model_tags: "gpu"
enable_model_warmup: false
model_warmup_options { num_request_iterations { value: 7 } }
mixed_precision: "bfloat16"
enable_per_model_batching_params: true
"""


def test_the_platform(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "platform.conf").write_text(platform(FULL))
    loaded = configure(flags=PLATFORM)
    settings = loaded.settings
    assert (settings.batching, settings.max_batch_size) == ("auto", 64)
    assert settings.tensorflow_intra_op_parallelism == 3
    assert settings.tensorflow_inter_op_parallelism == 4
    assert settings.per_process_gpu_memory_fraction == 0.5
    assert settings.saved_model_tags == ("serve", "gpu")
    assert settings.enable_model_warmup is False
    assert settings.num_request_iterations_for_warmup == 7
    assert settings.mixed_precision == "bfloat16"
    assert settings.enable_per_model_batching_parameters
    assert loaded.origins["max_batch_size"] == "platform.conf"
    assert loaded.notes == ()


def test_an_empty_platform_changes_nothing(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "platform.conf").write_text(platform(""))
    settings = configure(flags=PLATFORM).settings
    assert settings == configure().settings.model_copy(update=PLATFORM)


def test_the_platform_overrules_the_batching_flags(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "platform.conf").write_text(platform("batching_parameters {}"))
    flags = {"enable_batching": "false", "batching_parameters_file": "not-there.conf"}
    loaded = configure(flags=PLATFORM | flags)
    assert loaded.settings.batching == "auto"
    assert loaded.notes == tuple(
        f"{name} (flag --{name}) is not used, because platform_config_file "
        "(flag --platform_config_file) says how to batch"
        for name in ("enable_batching", "batching_parameters_file")
    )


def test_what_of_the_platform_has_no_meaning_is_noted(configure: Configure, tmp_path: Path) -> None:
    text = platform(
        "enable_session_metadata: true session_config { allow_soft_placement: true "
        "gpu_options { allow_growth: true } device_count { key: 'GPU' value: 0 } "
        "graph_options { optimizer_options { global_jit_level: ON_1 opt_level: L0 } } } "
        "batching_parameters { num_batch_threads { value: 1 } }"
    )
    (tmp_path / "platform.conf").write_text(text + 'platform_configs { key: "hashmap" }')
    assert configure(flags=PLATFORM).notes == (
        "platform.conf: without effect: enable_session_metadata, session_config.device_count, "
        "session_config.allow_soft_placement, session_config.graph_options, "
        "session_config.gpu_options.allow_growth, batching_parameters.num_batch_threads, "
        "platform_configs hashmap",
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 'platform.conf: platform_configs has no key "tensorflow"'),
        (
            'platform_configs { key: "tensorflow" value { source_adapter_config {\n'
            "[type.googleapis.com/tensorflow.serving.SSLConfig] {} } } }",
            "platform.conf, line 1, column 46: source_adapter_config must be a [type.google",
        ),
        (
            'platform_configs { key: "tensorflow" }',
            "platform.conf, line 1, column 1: source_adapter_config must be a [type.google",
        ),
        (
            platform("batching_parameters { max_batch_size { value: -1 } }"),
            "platform.conf, line 3, column 40: max_batch_size must be at least 1, not -1",
        ),
        (
            platform("batching: true"),
            'platform.conf, line 3, column 1: Message type "tensorflow.serving.SessionBundle',
        ),
        (
            platform("session_config { gpu_options { per_process_gpu_memory_fraction: 2 } }"),
            "per_process_gpu_memory_fraction must be at most 1, not 2.0 (platform.conf)",
        ),
    ],
)
def test_a_platform_that_is_refused(refuse: Refuse, tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "platform.conf").write_text(text)
    assert refuse(flags=PLATFORM).startswith(line)
