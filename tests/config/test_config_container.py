"""MODEL_NAME and MODEL_BASE_PATH, as TF Serving's container image has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]

TOML_A = "[models.a]\nbase_path = '/toml/a'\n"


def base_paths(loaded: Loaded) -> dict[str, str]:
    settings = loaded.settings
    return {name: str(settings.for_model(name).base_path) for name in settings.model_names()}


@pytest.mark.parametrize(
    ("environ", "expected", "origin"),
    [
        ({"MODEL_NAME": "m"}, {"m": "/models/m"}, "environment MODEL_NAME"),
        ({"MODEL_BASE_PATH": "/x"}, {"model": "/x/model"}, "environment MODEL_BASE_PATH"),
        (
            {"MODEL_NAME": "m", "MODEL_BASE_PATH": "/x"},
            {"m": "/x/m"},
            "environment MODEL_NAME and MODEL_BASE_PATH",
        ),
    ],
)
def test_base_path_and_name_are_joined(
    configure: Configure, environ: dict[str, str], expected: dict[str, str], origin: str
) -> None:
    loaded = configure(environ=environ)
    assert base_paths(loaded) == expected
    assert loaded.origins["model_base_path"] == origin


@pytest.mark.parametrize(
    "given",
    [
        {"flags": {"model_base_path": "/toml/a", "model_name": "a"}},
        {"toml": TOML_A},
        {"toml": "model_base_path = '/toml/a'\nmodel_name = 'a'"},
        {
            "toml": "[models.a]\nwarmup = false",
            "extra": {"GATEWAY_MODEL__A__BASE_PATH": "/toml/a"},
        },
    ],
)
def test_any_other_model_puts_them_aside(configure: Configure, given: dict[str, Any]) -> None:
    environ = {"MODEL_NAME": "model", "MODEL_BASE_PATH": "/models"} | given.pop("extra", {})
    assert base_paths(configure(environ=environ, **given)) == {"a": "/toml/a"}


def test_the_config_file_puts_them_aside_without_a_note(
    configure: Configure, models_file: str
) -> None:
    loaded = configure(
        flags={"model_config_file": models_file}, environ={"MODEL_BASE_PATH": "/models"}
    )
    assert loaded.settings.model_names() == ("a", "b")
    assert loaded.notes == ()


def test_a_flag_renames_the_model_where_it_is(configure: Configure) -> None:
    loaded = configure(flags={"model_name": "new"}, environ={"MODEL_NAME": "m"})
    assert base_paths(loaded) == {"new": "/models/m"}


def test_toml_may_tune_their_model(configure: Configure) -> None:
    loaded = configure(environ={"MODEL_NAME": "m"}, toml="[models.m]\nmax_batch_size = 8")
    assert base_paths(loaded) == {"m": "/models/m"}
    assert loaded.settings.for_model("m").max_batch_size == 8
