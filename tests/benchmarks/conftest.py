"""The zoo's models, exported once for all tests of the benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.zoo.catalogue import MODELS, Exported, ensure_models


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every model."""
    folder = tmp_path_factory.mktemp("zoo")
    ensure_models(tuple(MODELS), folder)
    return folder


@pytest.fixture(scope="session")
def zoo(models_dir: Path) -> dict[str, Exported]:
    """Every model by its name."""
    return ensure_models(tuple(MODELS), models_dir)
