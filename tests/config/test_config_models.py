"""Which models are served, from which of the five places that can name them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

TOML_A = "[models.a]\nbase_path = '/toml/a'\n"


def base_paths(loaded: Loaded) -> dict[str, str]:
    settings = loaded.settings
    return {name: str(settings.for_model(name).base_path) for name in settings.model_names()}


def test_the_single_model_of_the_flags(configure: Configure) -> None:
    loaded = configure(flags={"model_name": "m", "model_base_path": "/m"}, require_models=True)
    assert base_paths(loaded) == {"m": "/m"}
    assert loaded.origins["models.m.base_path"] == "flag --model_base_path"
    assert loaded.notes == ()


def test_the_single_models_name_is_default(configure: Configure) -> None:
    assert base_paths(configure(flags={"model_base_path": "/m"})) == {"default": "/m"}


@pytest.mark.parametrize(
    "given",
    [
        {"flags": {"model_base_path": "m"}},
        {"environ": {"GATEWAY_MODEL_BASE_PATH": "./m"}},
        {"toml": "model_base_path = 'm'"},
        {"toml": "[models.default]\nbase_path = 'm'"},
        {"environ": {"MODEL_BASE_PATH": ".", "MODEL_NAME": "m"}},
        {
            "toml": "[models.default]\nwarmup = false",
            "environ": {"GATEWAY_MODEL__DEFAULT__BASE_PATH": "m"},
        },
    ],
)
def test_relative_base_paths_start_at_the_working_folder(
    configure: Configure, tmp_path: Path, given: dict[str, Any]
) -> None:
    assert list(base_paths(configure(**given)).values()) == [str(tmp_path / "m")]


def test_models_of_the_toml_file(configure: Configure) -> None:
    loaded = configure(
        toml="max_batch_size = 16\n[models.a]\nbase_path = '/a'\nmax_batch_size = 8\n"
        "[models.b]\nbase_path = '/b'\n"
    )
    settings = loaded.settings
    assert settings.model_names() == ("a", "b")
    assert [settings.for_model(name).max_batch_size for name in "ab"] == [8, 16]


def test_the_single_model_is_served_beside_those_of_toml(configure: Configure) -> None:
    loaded = configure(flags={"model_name": "m", "model_base_path": "/m"}, toml=TOML_A)
    assert base_paths(loaded) == {"a": "/toml/a", "m": "/m"}


def test_a_stronger_single_model_moves_the_model_of_that_name(configure: Configure) -> None:
    loaded = configure(
        flags={"model_name": "a", "model_base_path": "/flag/a"},
        toml=TOML_A + "max_batch_size = 8",
    )
    assert base_paths(loaded) == {"a": "/flag/a"}
    assert loaded.settings.for_model("a").max_batch_size == 8


def test_one_toml_file_may_not_place_a_model_twice(refuse: Refuse) -> None:
    assert refuse(toml="model_name = 'a'\nmodel_base_path = '/b'\n" + TOML_A) == (
        'models.a.base_path is "/toml/a" in tensorgate.toml but "/b" in tensorgate.toml'
    )


def test_models_of_the_config_file(configure: Configure, models_file: str) -> None:
    loaded = configure(flags={"model_config_file": models_file}, require_models=True)
    assert base_paths(loaded) == {"a": "/models/a", "b": "/models/b"}
    assert loaded.origins["models.a.base_path"] == "models.conf"


def test_toml_tunes_and_adds_to_the_config_files_models(
    configure: Configure, models_file: str
) -> None:
    loaded = configure(
        flags={"model_config_file": models_file},
        toml="[models.a]\nmax_batch_size = 8\n[models.c]\nbase_path = '/c'",
    )
    assert base_paths(loaded) == {"a": "/models/a", "b": "/models/b", "c": "/c"}
    assert loaded.settings.for_model("a").max_batch_size == 8


def test_config_file_and_toml_may_agree_but_not_differ(
    configure: Configure, refuse: Refuse, models_file: str
) -> None:
    flags = {"model_config_file": models_file}
    same = "[models.a]\nbase_path = '/models/a'"
    assert base_paths(configure(flags=flags, toml=same))["a"] == "/models/a"
    assert refuse(flags=flags, toml=TOML_A) == (
        'models.a.base_path is "/toml/a" in tensorgate.toml but "/models/a" in models.conf'
    )


def test_the_environment_moves_a_model_of_the_config_file(
    configure: Configure, models_file: str
) -> None:
    loaded = configure(
        flags={"model_config_file": models_file}, environ={"GATEWAY_MODEL__A__BASE_PATH": "/env"}
    )
    assert base_paths(loaded) == {"a": "/env", "b": "/models/b"}


def test_the_config_file_wins_over_a_base_path_beside_it(
    configure: Configure, models_file: str
) -> None:
    loaded = configure(flags={"model_config_file": models_file, "model_base_path": "/m"})
    assert loaded.settings.model_names() == ("a", "b")
    assert loaded.notes == (
        "model_base_path (flag --model_base_path) is not used, because "
        "model_config_file (flag --model_config_file) names the models",
    )


def test_a_base_path_that_should_override_the_config_file_is_refused(
    refuse: Refuse, models_file: str
) -> None:
    message = refuse(
        flags={"model_base_path": "/m"}, environ={"GATEWAY_MODEL_CONFIG_FILE": models_file}
    )
    assert message == (
        "model_base_path (flag --model_base_path) and model_config_file (environment "
        "GATEWAY_MODEL_CONFIG_FILE) both say what to serve; leave one of them out"
    )


def test_an_empty_flag_puts_the_config_file_aside(configure: Configure, models_file: str) -> None:
    loaded = configure(
        flags={"model_base_path": "/m", "model_config_file": ""},
        environ={"GATEWAY_MODEL_CONFIG_FILE": models_file},
    )
    assert base_paths(loaded) == {"default": "/m"}


def test_nothing_to_serve(refuse: Refuse, configure: Configure) -> None:
    assert refuse(require_models=True).startswith("no model to serve: give --model_base_path")
    assert configure(require_models=False).settings.model_names() == ()


def test_a_name_that_no_url_can_hold(refuse: Refuse) -> None:
    assert refuse(toml="[models.'a:b']\nbase_path = '/m'") == (
        'models."a:b" must be a model name: not empty, without / and : (it is part of URLs), '
        'not "a:b" (tensorgate.toml)'
    )


@pytest.mark.parametrize("toml", ["[models.m]", "[models.m]\nwarmup = false"])
def test_a_model_without_a_base_path(refuse: Refuse, toml: str) -> None:
    assert refuse(toml=toml) == (
        "model m has no base path: set models.m.base_path to the folder of its version folders"
    )


def test_a_name_that_has_no_model(configure: Configure) -> None:
    loaded = configure(flags={"model_name": "m"})
    assert loaded.notes == ("model_name (flag --model_name) has no effect without model_base_path",)
