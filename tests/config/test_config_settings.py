"""Settings made in code, without ``load``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ModelSettings, Settings


def test_the_single_model_needs_no_table() -> None:
    settings = Settings(
        model_name="m",
        model_base_path="/m",
        max_batch_size=8,
        models={"m": ModelSettings(warmup=False)},
    )
    model = settings.for_model("m")
    assert (model.name, model.base_path) == ("m", Path("/m"))
    assert (model.max_batch_size, model.warmup) == (8, False)


def test_devices_of_the_server_are_those_of_its_models() -> None:
    settings = Settings(
        devices=("cpu:0", "cpu:1"),
        models={
            "all": ModelSettings(base_path="/a"),
            "one": ModelSettings(base_path="/b", devices=("cpu:1",)),
        },
    )
    assert settings.for_model("all").devices == ("cpu:0", "cpu:1")
    assert settings.for_model("one").devices == ("cpu:1",)


def test_an_unknown_model() -> None:
    with pytest.raises(KeyError):
        Settings().for_model("m")


def test_an_override_may_equal_false_or_zero_or_empty() -> None:
    settings = Settings(
        batch_timeout_ms=5.0,
        allowed_batch_sizes=(32,),
        models={
            "m": ModelSettings(
                base_path="/m", batch_timeout_ms=0.0, allowed_batch_sizes=(), warmup=False
            )
        },
    )
    model = settings.for_model("m")
    assert (model.batch_timeout_ms, model.allowed_batch_sizes, model.warmup) == (0.0, (), False)
