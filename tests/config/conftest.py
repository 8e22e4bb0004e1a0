from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli_fakes import Server

from gateway.config import ConfigError, Loaded, load

MODELS_FILE = """
model_config_list {
  config { name: "a" base_path: "/models/a" model_platform: "tensorflow" }
  config { name: "b" base_path: "/models/b" model_platform: "tensorflow" }
}
"""

Configure = Callable[..., Loaded]
Refuse = Callable[..., str]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """``load`` in a folder of its own, with an optional tensorgate.toml."""

    def call(
        flags: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        toml: str | None = None,
        **options: Any,
    ) -> Loaded:
        if toml is not None:
            (tmp_path / "tensorgate.toml").write_text(toml, encoding="utf-8")
        return load(flags or {}, environ or {}, tmp_path, **{"require_models": False} | options)

    return call


@pytest.fixture
def refuse(configure: Configure) -> Refuse:
    """As ``configure``, for configurations that are refused: the error's text."""

    def call(*args: Any, **kwargs: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            configure(*args, **kwargs)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return call


@pytest.fixture
def models_file(tmp_path: Path) -> str:
    """Name of a model config file with the models a and b, in the working folder."""
    (tmp_path / "models.conf").write_text(MODELS_FILE)
    return "models.conf"


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working folder, and none of our variables."""
    for variable in list(os.environ):
        if variable.startswith(("GATEWAY_", "MODEL_", "XDG_")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    fake = Server()
    module = ModuleType("gateway.server")
    module.run = fake.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gateway.server", module)
    return fake


@pytest.fixture
def demo_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders in which a demo model was asked for."""
    asked: list[Path] = []

    def ensure_demo_model(directory: Path) -> tuple[str, Path]:
        asked.append(directory)
        if directory.name == "readonly":
            raise PermissionError(13, "Permission denied")
        return "demo", directory / "demo"

    module = ModuleType("gateway.demo")
    module.ensure_demo_model = ensure_demo_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gateway.demo", module)
    return asked
