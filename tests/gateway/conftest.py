"""Fixtures of the gateway's tests. They run on uvloop, as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import uvloop
from blockbuster import blockbuster_ctx

from gateway.backends.tensorflow import TensorFlowBackend, TensorFlowModel

Exporter = Callable[[Path], None]
Repository = Callable[..., Path]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of ours on the event loop fails the test."""
    with blockbuster_ctx(["gateway", "batching"]):
        yield


class _KeepsModels(TensorFlowBackend):
    """Loads a version folder once; the tests' gateways share what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self._models: dict[Path, TensorFlowModel] = {}

    def load(self, path: Path, devices: Sequence[str], *, xla: bool = False) -> TensorFlowModel:
        if path.resolve() not in self._models:
            self._models[path.resolve()] = super().load(path, devices, xla=xla)
        return self._models[path.resolve()]


@pytest.fixture(scope="session")
def tensorflow_backend() -> TensorFlowBackend:
    return _KeepsModels()


@pytest.fixture(scope="session")
def exported(
    tmp_path_factory: pytest.TempPathFactory, tensorflow_backend: TensorFlowBackend
) -> Callable[[Exporter], Path]:
    """The version folder that an exporter makes, once a session. For reading only.

    TensorFlow is imported by then: on the event loop that would count as blocking.
    """
    folder = tmp_path_factory.mktemp("exported")

    def export(exporter: Exporter) -> Path:
        path = folder / exporter.__name__
        if not path.exists():
            exporter(path)
        return path

    return export


@pytest.fixture
def repository(tmp_path: Path, exported: Callable[[Exporter], Path]) -> Repository:
    """A function from exporters by ``NAME`` or ``NAME/VERSION`` to a folder with those models."""

    def made(**models: Exporter) -> Path:
        for name, exporter in models.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "1").symlink_to(exported(exporter))
        return tmp_path

    return made
