"""TF Serving's BatchingParameters, for the server and for a version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import ConfigError, Loaded
from gateway.config.batching_file import read_batching_parameters
from gateway.config.settings import ResolvedModel

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

FLAGS = {"enable_batching": "true", "batching_parameters_file": "batching.conf"}


def read(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "batching_params.pbtxt").write_text(text)
    return read_batching_parameters(tmp_path / "batching_params.pbtxt", "batching_params.pbtxt")


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("batch_timeout_micros { value: 1500 }", {"batch_timeout_ms": 1.5}),
        ("pad_variable_length_inputs: true", {"pad_variable_length_inputs": True}),
        ("pad_variable_length_inputs: false", {"pad_variable_length_inputs": False}),
        ("enable_large_batch_splitting { value: false }", {"split_large_requests": False}),
        ("num_batch_threads { value: 8 } thread_pool_name { value: 'x' }", {}),
        (
            "max_batch_size { value: 64 }",
            {"max_batch_size": 64, "allowed_batch_sizes": (), "max_queue_rows": 4096},
        ),
        (
            "max_batch_size { value: 1024 }",
            {"max_batch_size": 1024, "allowed_batch_sizes": (), "max_queue_rows": 10240},
        ),
        (
            "max_batch_size { value: 8 } max_enqueued_batches { value: 3 }",
            {"max_batch_size": 8, "allowed_batch_sizes": (), "max_queue_rows": 24},
        ),
        (
            "max_enqueued_batches { value: 2 }",
            {"max_batch_size": 1000, "allowed_batch_sizes": (), "max_queue_rows": 2000},
        ),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: [1, 2, 4]",
            {"max_batch_size": 4, "allowed_batch_sizes": (1, 2, 4), "max_queue_rows": 4096},
        ),
        (
            "max_batch_size { value: 100 } max_enqueued_batches { value: 2 } "
            "enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 10 } allowed_batch_sizes: 5 allowed_batch_sizes: 10",
            {
                "split_large_requests": True,
                "max_batch_size": 10,
                "allowed_batch_sizes": (5, 10),
                "max_queue_rows": 200,
            },
        ),
        (
            "max_batch_size { value: 100 } max_execution_batch_size { value: 10 }",
            {"max_batch_size": 100, "allowed_batch_sizes": (), "max_queue_rows": 4096},
        ),
    ],
)
def test_what_the_fields_give(tmp_path: Path, text: str, settings: dict[str, object]) -> None:
    got = read(tmp_path, text)
    assert got == settings
    assert got.keys() <= ResolvedModel.model_fields.keys()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "# comment\nmax_batch_size { value: 0 }",
            ", line 2, column 18: max_batch_size must be at least 1, not 0",
        ),
        (
            "max_batch_size {}",
            ", line 1, column 1: max_batch_size must be at least 1, not 0",
        ),
        (
            "batch_timeout_micros { value: -5 }",
            ", line 1, column 24: batch_timeout_micros must be at least 0, not -5",
        ),
        (
            "max_enqueued_batches { value: 0 }",
            ", line 1, column 24: max_enqueued_batches must be at least 1, not 0",
        ),
        (
            "num_batch_threads { value: 0 }",
            ", line 1, column 21: num_batch_threads must be at least 1, not 0",
        ),
        (
            "enable_large_batch_splitting { value: true }\n"
            "max_execution_batch_size { value: 1001 }",
            ", line 2, column 28: max_execution_batch_size must be at most max_batch_size = 1000, "
            "not 1001",
        ),
        (
            "max_batch_size { value: 4 }\nallowed_batch_sizes: 4\nallowed_batch_sizes: 2",
            ", line 3, column 1: allowed_batch_sizes must be ascending, without repeats, "
            "not [4, 2]",
        ),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: [0, 4]",
            ", line 1, column 29: allowed_batch_sizes must be ascending, without repeats, "
            "not [0, 4]",
        ),
        (
            "allowed_batch_sizes: 32",
            ", line 1, column 1: allowed_batch_sizes must end with max_batch_size = 1000, not 32",
        ),
        (
            "enable_large_batch_splitting { value: true }\nmax_execution_batch_size { value: 8 }\n"
            "allowed_batch_sizes: 4",
            ", line 3, column 1: allowed_batch_sizes must end with max_execution_batch_size = 8, "
            "not 4",
        ),
        (
            "max_batch_size: 8",
            ", line 1, column 17: ",
        ),
        (
            "batch_size { value: 8 }",
            ', line 1, column 1: Message type "tensorflow.serving.BatchingParameters" has no '
            'field named "batch_size"',
        ),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"batching_params.pbtxt{line}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^b\.pbtxt cannot be read: No such file or directory$"):
        read_batching_parameters(tmp_path / "b", "b.pbtxt")


def test_the_servers_file(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "batching.conf").write_text(
        "max_batch_size { value: 64 } batch_timeout_micros { value: 2000 }"
    )
    loaded = configure(flags=FLAGS, toml="[models.m]\nbase_path = '/m'\nmax_batch_size = 16")
    settings = loaded.settings
    assert (settings.max_batch_size, settings.batch_timeout_ms) == (64, 2.0)
    assert loaded.origins["max_batch_size"] == "batching.conf"
    assert loaded.origins["batching"] == "flag --enable_batching"
    assert settings.for_model("m").max_batch_size == 16
    assert loaded.origins["models.m.batch_timeout_ms"] == "inherited, batching.conf"
    assert loaded.notes == ()


@pytest.mark.parametrize(
    "given",
    [
        {"toml": "max_batch_size = 8"},
        {"environ": {"GATEWAY_MAX_BATCH_SIZE": "8"}},
        {"flags": {"max_batch_size": "8"}},
    ],
)
def test_settings_under_their_own_names_are_stronger(
    configure: Configure, tmp_path: Path, given: dict[str, object]
) -> None:
    (tmp_path / "batching.conf").write_text("max_batch_size { value: 64 }")
    flags = FLAGS | dict(given.pop("flags", {}))  # type: ignore[call-overload]
    assert configure(flags=flags, **given).settings.max_batch_size == 8


def test_what_has_no_meaning_is_noted(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "batching.conf").write_text(
        "num_batch_threads { value: 4 } thread_pool_name { value: 'pool' } "
        "max_execution_batch_size { value: 8 }"
    )
    assert configure(flags=FLAGS).notes == (
        "batching.conf: num_batch_threads, thread_pool_name, max_execution_batch_size without "
        "effect: each device has a thread of its own (see devices)",
    )


def test_each_version_has_a_file_of_its_own(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "batching.conf").write_text("batch_timeout_micros { value: 2000 }")
    loaded = configure(flags=FLAGS | {"enable_per_model_batching_parameters": "true"})
    assert loaded.settings.batch_timeout_ms == 0
    assert loaded.notes == (
        "batching.conf: batch_timeout_ms not used, because each version has its own "
        "batching_params.pbtxt (enable_per_model_batching_parameters)",
    )


@pytest.mark.parametrize("switch", [{}, {"enable_batching": "false"}])
def test_the_file_needs_the_switch(refuse: Refuse, tmp_path: Path, switch: dict[str, str]) -> None:
    (tmp_path / "batching.conf").write_text("")
    assert refuse(flags={"batching_parameters_file": "batching.conf"} | switch) == (
        "batching_parameters_file (flag --batching_parameters_file) needs enable_batching, "
        "which is not set to true"
    )


def test_a_contradiction_quotes_the_file(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "batching.conf").write_text("batch_timeout_micros { value: 30000000 }")
    assert refuse(flags=FLAGS) == (
        "batch_timeout_ms = 30000.0 (batching.conf) is not below rest_api_timeout_in_ms = 30000 "
        "(default): requests would expire before their batch"
    )
