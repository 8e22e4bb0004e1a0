"""Exported models, made once a session, and the backend that loads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.tensorflow import TensorFlowBackend, TensorFlowModel

Exporter = Callable[[Path], None]
Export = Callable[[Exporter], Path]
Load = Callable[[Exporter], TensorFlowModel]


class PublicCallsBackend(TensorFlowBackend):
    """Runs through public functions only."""

    use_callables = False


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Gives the folder of an exported model. For reading only."""
    folder = tmp_path_factory.mktemp("models")

    def exported(exporter: Exporter) -> Path:
        path = folder / exporter.__name__
        if not path.exists():
            exporter(path)
        return path

    return exported


@pytest.fixture(scope="session")
def backend() -> TensorFlowBackend:
    return TensorFlowBackend()


@pytest.fixture(params=["callable", "public"])
def any_backend(request: pytest.FixtureRequest) -> TensorFlowBackend:
    """Each way of running a session in turn."""
    return TensorFlowBackend() if request.param == "callable" else PublicCallsBackend()


@pytest.fixture
def load(any_backend: TensorFlowBackend, export: Export) -> Iterator[Load]:
    """Loads an exported model for cpu:0 and cpu:1; closed at the end of the test."""
    models: list[TensorFlowModel] = []

    def loaded(exporter: Exporter) -> TensorFlowModel:
        models.append(any_backend.load(export(exporter), ["cpu:0", "cpu:1"]))
        return models[-1]

    yield loaded
    for model in models:
        model.close()


@pytest.fixture
def meta_graph(export: Export) -> Callable[[Exporter], Any]:
    """Gives the MetaGraphDef of an exported model."""
    from tests.saved_model_edits import read_meta_graph

    return lambda exporter: read_meta_graph(export(exporter))
