"""Defaults < TOML < environment < flags, and the origin of what wins."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, Loaded, load
from gateway.config.inherited import Overrides
from gateway.config.sections import SECTIONS
from gateway.config.settings import InheritedSettings, ModelSettings, Settings

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

# Weakest first: the argument of load, its value, the setting's value and origin.
LAYERS: list[tuple[str, Any, int, str]] = [
    ("toml", "max_batch_size = 2", 2, "tensorgate.toml"),
    ("environ", {"GATEWAY_MAX_BATCH_SIZE": "3"}, 3, "environment GATEWAY_MAX_BATCH_SIZE"),
    ("flags", {"max_batch_size": "4"}, 4, "flag --max_batch_size"),
]
SUBSETS = [subset for size in range(1, 4) for subset in itertools.combinations(LAYERS, size)]


def test_without_layers_every_setting_has_its_default(configure: Configure) -> None:
    loaded = configure()
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.origins.keys() == Settings.model_fields.keys() - {"models"}


@pytest.mark.parametrize("layers", SUBSETS, ids=lambda layers: "<".join(x[0] for x in layers))
def test_the_strongest_layer_wins_and_is_told(
    configure: Configure, layers: tuple[tuple[str, Any, int, str], ...]
) -> None:
    loaded = configure(**{argument: given for argument, given, _, _ in layers})
    _, _, value, origin = layers[-1]
    assert loaded.settings.max_batch_size == value
    assert loaded.origins["max_batch_size"] == origin


MODEL_LAYERS: list[tuple[str, Any, int, str]] = [
    ("flags", {"max_batch_size": "5"}, 5, "inherited, flag --max_batch_size"),
    (
        "toml",
        '[models.m]\nbase_path = "/m"\nmax_batch_size = 6',
        6,
        "tensorgate.toml",
    ),
    (
        "environ",
        {"GATEWAY_MODEL__M__MAX_BATCH_SIZE": "7"},
        7,
        "environment GATEWAY_MODEL__M__MAX_BATCH_SIZE",
    ),
]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_models_own_setting_beats_even_a_flag_for_all(configure: Configure, count: int) -> None:
    given = {"toml": '[models.m]\nbase_path = "/m"'}
    given |= {argument: value for argument, value, _, _ in MODEL_LAYERS[:count]}
    loaded = configure(**given)
    _, _, value, origin = MODEL_LAYERS[count - 1]
    assert loaded.settings.for_model("m").max_batch_size == value
    assert loaded.origins["models.m.max_batch_size"] == origin


def test_a_weaker_layer_still_gives_its_other_settings(configure: Configure) -> None:
    loaded = configure(
        flags={"max_batch_size": "4"}, toml='max_batch_size = 2\nlog_level = "error"'
    )
    assert (loaded.settings.max_batch_size, loaded.settings.log_level) == (4, "error")


def test_empty_environment_values_count_as_unset(configure: Configure) -> None:
    loaded = configure(environ={"GATEWAY_HOST": "", "GATEWAY_CONFIG": "", "MODEL_NAME": ""})
    assert loaded.origins["host"] == loaded.origins["model_name"] == "default"


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ({}, {}, "tensorgate.toml"),
        ({}, {"GATEWAY_CONFIG": "env.toml"}, "env.toml"),
        ({"config": "flag.toml"}, {"GATEWAY_CONFIG": "env.toml"}, "flag.toml"),
        ({"config": ""}, {"GATEWAY_CONFIG": "env.toml"}, "default"),
    ],
)
def test_which_toml_file_is_read(
    tmp_path: Path, flags: dict[str, str], environ: dict[str, str], expected: str
) -> None:
    for name in ("tensorgate.toml", "env.toml", "flag.toml"):
        (tmp_path / name).write_text("port = 5")
    loaded = load(flags, environ, tmp_path, require_models=False)
    assert loaded.origins["port"] == expected


@pytest.mark.parametrize(
    "given", [{"flags": {"config": "no.toml"}}, {"environ": {"GATEWAY_CONFIG": "no.toml"}}]
)
def test_a_named_toml_file_must_be_there(refuse: Refuse, given: dict[str, Any]) -> None:
    assert refuse(**given) == "no.toml cannot be read: No such file or directory"


def test_a_toml_file_that_is_no_toml(refuse: Refuse, tmp_path: Path) -> None:
    assert refuse(toml="port =") == (
        "tensorgate.toml is not valid TOML: Invalid value (at end of document)"
    )
    (tmp_path / "tensorgate.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"^tensorgate\.toml is not UTF-8 text$"):
        load({}, {}, tmp_path)


def test_a_model_can_override_exactly_the_inherited_settings() -> None:
    assert set(Overrides.model_fields) == set(InheritedSettings.model_fields)
    assert {field.default for field in Overrides.model_fields.values()} == {None}


def test_every_setting_but_models_is_in_one_section() -> None:
    listed = [name for section in SECTIONS.values() for name in section]
    assert sorted(listed) == sorted(Settings.model_fields.keys() - {"models"})


def test_settings_describe_themselves_in_one_line() -> None:
    fields = {**ModelSettings.model_fields, **Settings.model_fields}
    for name, field in fields.items():
        assert field.description, name
        assert "\n" not in field.description
