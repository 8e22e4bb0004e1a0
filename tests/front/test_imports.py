"""What the processes that own the sockets load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gateway

ROOT = Path(gateway.__file__).parent.parent
FRAMEWORK = {"tensorflow", "ml_dtypes", "google", "tensorflow_serving"}


def loaded_by(module: str) -> set[str]:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {module}\nprint(*sys.modules)"
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    return set(found.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_a_front_reads_and_writes_and_nothing_else() -> None:
    loaded = loaded_by("gateway.front.process")
    assert {"aiohttp", "orjson", "numpy", "uvloop"} <= packages(loaded)
    assert not packages(loaded) & (FRAMEWORK | {"pydantic", "prometheus_client", "click"})
    parts = {name.split(".")[1] for name in loaded if name.startswith("gateway.")}
    assert not parts & {"app", "config", "engine", "models", "metrics", "protos", "server"}


@pytest.mark.parametrize("module", ["gateway.supervisor.process", "gateway.cli"])
def test_the_supervisor_runs_nothing(module: str) -> None:
    loaded = loaded_by(module)
    assert not packages(loaded) & (FRAMEWORK | {"uvloop", "httptools"})
    assert not loaded & {"gateway.app", "gateway.server", "gateway.models.registry"}


def test_an_engine_is_tied_to_its_supervisor_first() -> None:
    """Before it imports what takes time."""
    assert "gateway.server" not in loaded_by("gateway.engine.__main__")
    assert "numpy" not in loaded_by("gateway.lifeline")
