"""TF Serving's model config file: the basic form, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigError
from gateway.config.model_config_file import read_model_config_file

GOOD = 'name: "m" base_path: "/m" model_platform: "tensorflow"'


def config_list(*entries: str) -> str:
    return "model_config_list {\n" + "\n".join(f"config {{ {e} }}" for e in entries) + "\n}\n"


def read(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "models.conf").write_text(text)
    return read_model_config_file(tmp_path / "models.conf", "models.conf")


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_models_in_the_files_order(tmp_path: Path) -> None:
    text = "# all we serve\n" + config_list(
        "name: 'z', base_path: '/z', model_platform: 'tensorflow'", GOOD
    )
    assert list(read(tmp_path, text).items()) == [("z", "/z"), ("m", "/m")]


@pytest.mark.parametrize(
    "extra",
    [
        "model_version_policy { latest {} }",
        "model_version_policy { latest { num_versions: 0 } }",
        "model_version_policy { latest { num_versions: 1 } }",
        "model_version_policy {}",
    ],
)
def test_the_default_version_policy_may_be_spelled_out(tmp_path: Path, extra: str) -> None:
    assert read(tmp_path, config_list(f"{GOOD} {extra}")) == {"m": "/m"}


def test_the_deprecated_model_type(tmp_path: Path) -> None:
    assert read(tmp_path, config_list('name: "m" base_path: "/m" model_type: TENSORFLOW'))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ('base_path: "/m" model_platform: "tensorflow"', "a model has no name"),
        ('name: "m" model_platform: "tensorflow"', 'model "m" has no base_path'),
        (
            'name: "m" base_path: "m" model_platform: "tensorflow"',
            'model "m" needs an absolute base_path, not "m"',
        ),
        (
            'name: "m" base_path: "/m"',
            'model "m" has no model_platform (write model_platform: "tensorflow")',
        ),
        (
            'name: "m" base_path: "/m" model_platform: "onnx"',
            'model "m" has the platform "onnx"; only "tensorflow" is supported',
        ),
        (
            'name: "m" base_path: "/m" model_type: OTHER',
            'model "m" has the platform "other"; only "tensorflow" is supported',
        ),
        (
            f"{GOOD} model_type: TENSORFLOW",
            'model "m" has both model_platform and model_type (deprecated)',
        ),
        (
            f"{GOOD} model_version_policy {{ all {{}} }}",
            "model \"m\" has the model_version_policy 'all'; only the latest version is served",
        ),
        (
            f"{GOOD} model_version_policy {{ specific {{ versions: 2 }} }}",
            "model \"m\" has the model_version_policy 'specific'; "
            "only the latest version is served",
        ),
        (
            f"{GOOD} model_version_policy {{ latest {{ num_versions: 2 }} }}",
            'model "m" asks for several latest versions; only one is served',
        ),
        (
            f"{GOOD} version_labels {{ key: 'stable' value: 1 }}",
            'model "m" has version_labels, which are not supported',
        ),
        (
            f"{GOOD} logging_config {{}}",
            'model "m" has a logging_config, which is not supported',
        ),
    ],
)
def test_what_an_entry_may_not_say(tmp_path: Path, entry: str, line: str) -> None:
    assert refused(tmp_path, config_list(entry)) == f"models.conf: {line}"


def test_a_model_listed_twice(tmp_path: Path) -> None:
    assert refused(tmp_path, config_list(GOOD, GOOD)) == 'models.conf: model "m" is listed twice'


@pytest.mark.parametrize("text", ["", "# nothing\n", "model_config_list {}"])
def test_no_model(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, text) == "models.conf names no model"


def test_custom_model_config(tmp_path: Path) -> None:
    assert refused(tmp_path, "custom_model_config {}") == (
        "models.conf: custom_model_config is not supported"
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
def test_syntax_errors_tell_the_place(tmp_path: Path, text: str, line: str) -> None:
    assert refused(tmp_path, text).startswith(line)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^the model config file x cannot be read: No such file"):
        read_model_config_file(tmp_path / "x", "x")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"^the model config file b is not UTF-8 text$"):
        read_model_config_file(tmp_path / "binary", "b")


def test_uris_are_left_to_the_settings_own_check(tmp_path: Path) -> None:
    text = config_list('name: "m" base_path: "gs://b/m" model_platform: "tensorflow"')
    assert read(tmp_path, text) == {"m": "gs://b/m"}
