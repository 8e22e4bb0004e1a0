"""What a closed model leaves behind: nothing, and without the help of the garbage collector."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gateway.backends import native_memory
from gateway.backends.tensorflow import TensorFlowBackend, tensorflow_api
from gateway.errors import ServingError
from tests import saved_models
from tests.backends.conftest import Export
from tests.saved_model_edits import edit

pytestmark = pytest.mark.tf


@pytest.fixture(autouse=True)
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def path(export: Export) -> Path:
    return export(saved_models.counter)


@pytest.fixture
def made(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Any]]:
    """Every graph and session that is made from now on."""
    references: list[weakref.ref[Any]] = []
    tf = tensorflow_api().tf

    def remember(kind: Any) -> None:
        original = kind.__init__

        def init(self: Any, *args: Any, **options: Any) -> None:
            original(self, *args, **options)
            references.append(weakref.ref(self))

        monkeypatch.setattr(kind, "__init__", init)

    remember(tf.Graph)
    remember(tf.compat.v1.Session)
    return references


def load_run_close(backend: TensorFlowBackend, path: Path) -> None:
    model = backend.load(path, ["cpu:0"])
    model.runner("serving_default", "cpu:0")({"x": np.int64([1])})
    model.close()


def test_graphs_and_sessions_go_with_the_model(
    any_backend: TensorFlowBackend, path: Path, made: list[weakref.ref[Any]]
) -> None:
    load_run_close(any_backend, path)
    assert len(made) >= 2
    assert not [reference() for reference in made if reference() is not None]


def test_they_go_even_if_a_run_function_is_kept(
    any_backend: TensorFlowBackend, path: Path, made: list[weakref.ref[Any]]
) -> None:
    model = any_backend.load(path, ["cpu:0"])
    run = model.runner("serving_default", "cpu:0")
    assert any(reference() for reference in made)
    model.close()
    assert not any(reference() for reference in made)
    with pytest.raises(ServingError, match="has been unloaded"):
        run({"x": np.int64([1])})


def test_a_run_function_needs_no_model_to_be_kept(
    any_backend: TensorFlowBackend, path: Path
) -> None:
    run = any_backend.load(path, ["cpu:0"]).runner("peek", "cpu:0")
    gc.collect()
    assert run({"x": np.int64([1])})["count"].tolist() == [0]


def test_no_objects_pile_up(any_backend: TensorFlowBackend, path: Path) -> None:
    load_run_close(any_backend, path)  # fills caches
    before = len(gc.get_objects())
    for _ in range(10):
        load_run_close(any_backend, path)
    assert len(gc.get_objects()) < before + 10


def break_variables(path: Path) -> None:
    (path / "variables" / "variables.index").write_bytes(b"short")


def break_graph(path: Path) -> None:
    def change(graph: Any) -> None:
        graph.graph_def.node.add(name="bad", op="Neg", input=["nothing"])

    edit(path, change)


@pytest.mark.parametrize("damage", [break_variables, break_graph])
def test_a_failed_load_leaves_nothing_behind(
    any_backend: TensorFlowBackend,
    path: Path,
    tmp_path: Path,
    made: list[weakref.ref[Any]],
    damage: Callable[[Path], None],
) -> None:
    broken = tmp_path / "1"
    shutil.copytree(path, broken)
    damage(broken)
    with pytest.raises(ServingError) as caught:
        any_backend.load(broken, ["cpu:0"])
    # A status page may keep the error for as long as the server runs.
    assert caught.value.message
    assert caught.value.__context__ is None
    assert made
    assert not any(reference() for reference in made)


def test_freed_memory_is_given_back_where_the_c_library_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    for library in (SimpleNamespace(malloc_trim=asked.append), SimpleNamespace()):
        native_memory._malloc_trim.cache_clear()
        monkeypatch.setattr("ctypes.CDLL", lambda name, library=library: library)
        native_memory.give_back_freed_memory()
    assert asked == [0]
    native_memory._malloc_trim.cache_clear()
