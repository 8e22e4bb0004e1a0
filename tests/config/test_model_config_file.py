"""TF Serving's model config file: what each field gives, and what is refused, with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, Loaded
from gateway.config.model_config_file import parse_model_config

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

GOOD = 'name: "m" base_path: "/m" model_platform: "tensorflow"'


def config_list(*entries: str) -> str:
    return "model_config_list {\n" + "\n".join(f"config {{ {e} }}" for e in entries) + "\n}\n"


def read(text: str) -> dict[str, dict[str, Any]]:
    return parse_model_config(text, "models.conf")


def read_one(extra: str) -> dict[str, Any]:
    """What ``extra`` adds to a model."""
    settings = read(config_list(f"{GOOD} {extra}"))["m"]
    assert settings.pop("base_path") == "/m"
    return settings


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_models_in_the_files_order() -> None:
    text = "# all we serve\n" + config_list(
        "name: 'z', base_path: '/z', model_platform: 'tensorflow'", GOOD
    )
    assert list(read(text).items()) == [("z", {"base_path": "/z"}), ("m", {"base_path": "/m"})]


@pytest.mark.parametrize(
    ("policy", "setting"),
    [
        ("latest {}", "latest"),
        ("latest { num_versions: 0 }", "latest"),
        ("latest { num_versions: 1 }", "latest"),
        ("latest { num_versions: 3 }", "latest:3"),
        ("all {}", "all"),
        ("specific { versions: 7 }", "specific:7"),
        ("specific { versions: 7 versions: 2 versions: 7 }", "specific:2,7"),
        ("specific { versions: [3, 1] }", "specific:1,3"),
        ("specific { versions: 0 }", "specific:0"),
    ],
)
def test_version_policies(policy: str, setting: str) -> None:
    extra = f"model_version_policy {{ {policy} }}"
    assert read_one(extra) == {"model_version_policy": setting}


def test_no_policy_is_left_open() -> None:
    assert read_one("model_version_policy {}") == {}


def test_version_labels() -> None:
    labels = "version_labels { key: 'stable' value: 1 } version_labels { key: 'canary' value: 2 }"
    assert read_one(labels) == {"version_labels": {"canary": 2, "stable": 1}}


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("", "jsonl"),
        ('type: "json" ', "jsonl"),
        ('type: "jsonl" ', "jsonl"),
        ('type: "tensorflow" ', "tfrecord"),
        ('type: "tfrecord" ', "tfrecord"),
    ],
)
def test_logging_config(kind: str, form: str) -> None:
    collector = f'log_collector_config {{ {kind}filename_prefix: "/log/m" }}'
    assert read_one(f"logging_config {{ {collector} }}") == {
        "request_log": "/log/m",
        "request_log_format": form,
    }
    sampling = "sampling_config { sampling_rate: 0.25 }"
    settings = read_one(f"logging_config {{ {collector} {sampling} }}")
    assert settings["request_log_sampling_rate"] == 0.25


def test_the_deprecated_model_type() -> None:
    assert read(config_list('name: "m" base_path: "/m" model_type: TENSORFLOW'))


@pytest.mark.parametrize(
    ("entry", "column", "line"),
    [
        ('base_path: "/m" model_platform: "tensorflow"', 1, "a model has no name"),
        ('name: "m" model_platform: "tensorflow"', 1, 'model "m" has no base_path'),
        (
            'name: "m" base_path: "m" model_platform: "tensorflow"',
            20,
            'model "m" needs an absolute base_path, not "m"',
        ),
        (
            'name: "m" base_path: "gs://b/m" model_platform: "tensorflow"',
            20,
            'model "m": base_path must be a local folder: this version does not read from URIs, '
            'not "gs://b/m"',
        ),
        (
            'name: "m" base_path: "/m"',
            1,
            'model "m" has no model_platform (write model_platform: "tensorflow")',
        ),
        (
            'name: "m" base_path: "/m" model_platform: "onnx"',
            36,
            'model "m" has the platform "onnx"; only "tensorflow" is supported',
        ),
        (
            'name: "m" base_path: "/m" model_type: OTHER',
            36,
            'model "m" has the platform "other"; only "tensorflow" is supported',
        ),
        (
            f"{GOOD} model_type: TENSORFLOW",
            65,
            'model "m" has both model_platform and model_type (deprecated)',
        ),
        (
            'name: "a:b" base_path: "/m" model_platform: "tensorflow"',
            10,
            'name must be a model name: not empty, without / and : (it is part of URLs), not "a:b"',
        ),
        (
            f"{GOOD} model_version_policy {{ specific {{}} }}",
            88,
            'model "m": specific names no versions',
        ),
        (
            f"{GOOD} model_version_policy {{ specific {{ versions: -1 }} }}",
            65,
            'model "m": model_version_policy must be "latest", "latest:N", "all" or '
            '"specific:N,N,...", not "specific:-1"',
        ),
        (
            f"{GOOD} version_labels {{ key: 'a/b' value: 1 }}",
            65,
            'model "m": version_labels must be a label: not empty, without / and : '
            '(it is part of URLs), not "a/b"',
        ),
        (
            f"{GOOD} version_labels {{ key: 'a' value: -1 }}",
            65,
            'model "m": version_labels must be a version, or weights by version like '
            '{"1": 0.9, "2": 0.1}, not -1',
        ),
        (
            f"{GOOD} logging_config {{}}",
            65,
            'model "m" has a logging_config without filename_prefix, the file to write',
        ),
        (
            f"{GOOD} logging_config {{ log_collector_config {{ type: 'kafka' }} }}",
            105,
            'model "m" has a log type "kafka"; known are json, jsonl, tensorflow, tfrecord',
        ),
        (
            f"{GOOD} logging_config {{ log_collector_config {{ filename_prefix: '/l' }} "
            "sampling_config { sampling_rate: 2 } }",
            147,
            'model "m": sampling_rate must be at most 1, not 2.0',
        ),
    ],
)
def test_what_an_entry_may_not_say(entry: str, column: int, line: str) -> None:
    assert refused(config_list(entry)) == f"models.conf, line 2, column {column}: {line}"


def test_a_model_listed_twice() -> None:
    assert refused(config_list(GOOD, GOOD)) == (
        'models.conf, line 3, column 10: model "m" is listed twice'
    )


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file_is_no_order_to_serve_nothing(text: str) -> None:
    assert refused(text) == (
        "models.conf has no model_config_list; empty it is: model_config_list {}"
    )


def test_no_model_on_purpose(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "models.conf").write_text("model_config_list {}")
    loaded = configure(flags={"model_config_file": "models.conf"}, require_models=True)
    assert loaded.settings.model_names() == ()


def test_custom_model_config() -> None:
    assert refused("\ncustom_model_config {}") == (
        "models.conf, line 2, column 1: custom_model_config is not supported"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            'model_config_list {\n  config { nam: "m" }\n}',
            'models.conf, line 2, column 12: Message type "tensorflow.serving.ModelConfig" '
            'has no field named "nam".',
        ),
        ("model_config_list {", "models.conf, line 1, column 19: "),
        ('model_config_list { config { name: "a\nb" } }', "models.conf, line 1, column 36: "),
    ],
)
def test_syntax_errors_tell_the_place(text: str, line: str) -> None:
    assert refused(text).startswith(line)


def test_files_that_cannot_be_read(refuse: Refuse, tmp_path: Path) -> None:
    assert refuse(flags={"model_config_file": "x"}) == (
        "the model config file x cannot be read: No such file or directory"
    )
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert refuse(flags={"model_config_file": "binary"}) == (
        "the model config file binary is not UTF-8 text"
    )
