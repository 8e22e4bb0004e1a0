"""XLA is asked for by single models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import Loaded

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]

TWO_MODELS = "[models.half-plus]\nbase_path = '/h'\n[models.b]\nbase_path = '/b'\n"


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({"toml": TWO_MODELS + "[models.half-plus.trim]"}, "default"),
        (
            {"toml": TWO_MODELS, "environ": {"GATEWAY_MODEL__HALF_PLUS__XLA": "true"}},
            "environment GATEWAY_MODEL__HALF_PLUS__XLA",
        ),
        ({"toml": TWO_MODELS.replace("'/h'", "'/h'\nxla = true")}, "tensorgate.toml"),
    ],
)
def test_xla_is_for_the_model_that_asks(
    configure: Configure, given: dict[str, Any], origin: str
) -> None:
    loaded = configure(**given)
    assert loaded.settings.for_model("half-plus").xla is (origin != "default")
    assert loaded.settings.for_model("b").xla is False
    assert loaded.origins["models.half-plus.xla"] == origin


def test_xla_is_true_or_false(refuse: Refuse) -> None:
    message = refuse(toml="[models.m]\nbase_path = '/m'\nxla = 1")
    assert message == "models.m.xla must be true or false, not 1 (tensorgate.toml)"
