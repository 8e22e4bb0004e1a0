"""What a load leaves behind when the model is there but may not be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.base import RunFunction, Signature
from gateway.config import Settings
from gateway.errors import ServingError
from gateway.models.loader import LoadOptions, load_version


class ClosableModel:
    signatures: Mapping[str, Signature] = {}
    metadata: Mapping[str, Any] = {}
    closed = False

    def runner(self, signature: str, device: str) -> RunFunction:
        raise AssertionError("there is no signature to run")

    def close(self) -> None:
        self.closed = True


class OneModel:
    description = "one model"

    def __init__(self) -> None:
        self.model = ClosableModel()

    def devices(self) -> Sequence[str]:
        return ("cpu:0",)

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> ClosableModel:
        return self.model


def load(model_settings: dict[str, Any], base_path: Path) -> ClosableModel:
    table = {"m": {"base_path": str(base_path), **model_settings}}
    settings = Settings.model_validate({"models": table}).for_model("m")
    backend = OneModel()
    if not model_settings:
        load_version(backend, base_path, settings, backend.devices(), LoadOptions())
        return backend.model
    with pytest.raises(ServingError, match="ids"):
        load_version(backend, base_path, settings, backend.devices(), LoadOptions())
    return backend.model


def test_a_model_that_is_refused_gives_its_memory_back(tmp_path: Path) -> None:
    assert load({"padding": {"ids": {"axes": (1,)}}}, tmp_path).closed


def test_a_model_that_is_taken_stays_open(tmp_path: Path) -> None:
    assert not load({}, tmp_path).closed
