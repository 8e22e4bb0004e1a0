"""What real failures look like to a client: of runs by either way, and of loads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.tensorflow import TensorFlowBackend
from gateway.errors import Code, ServingError
from tests import saved_models
from tests.backends.conftest import Export, Load

pytestmark = pytest.mark.tf


def failure(run: Callable[[], Any]) -> ServingError:
    with pytest.raises(ServingError) as caught:
        run()
    return caught.value


@pytest.mark.parametrize(
    ("exporter", "signature", "inputs", "message"),
    [
        (
            saved_models.picky,
            "serving_default",
            {"x": np.float32([4, -1])},
            "assertion failed: [x must be >= 0] [4 -1]",
        ),
        (
            saved_models.strings,
            "number",
            {"text": np.array([b"1", b"abc"], object)},
            "StringToNumberOp could not correctly convert string: abc",
        ),
        (
            saved_models.half_plus_two,
            "serving_default",
            {"x": np.int64([1])},
            'input "x" must be float32, got int64',
        ),
        (
            saved_models.half_plus_two,
            "serving_default",
            {"x": np.array([b"1"], object)},
            'input "x" must be float32, got strings',
        ),
        (
            saved_models.strings,
            "serving_default",
            {"text": np.array([b"1", 2], object)},
            'input "text" must hold only bytes or str, got int',
        ),
        (saved_models.half_plus_two, "serving_default", {}, 'input "x" is missing'),
    ],
)
def test_a_failed_run(
    load: Load,
    exporter: Callable[[Path], None],
    signature: str,
    inputs: dict[str, Any],
    message: str,
) -> None:
    run = load(exporter).runner(signature, "cpu:0")
    error = failure(lambda: run(inputs))
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, message)


def test_shapes_that_do_not_fit_the_model(load: Load) -> None:
    run = load(saved_models.several_inputs_and_outputs).runner("serving_default", "cpu:0")
    text = np.array([b"a", b"b", b"c"], object)
    inputs = {"a": np.zeros(2, np.float32), "b": np.zeros((3, 2), np.int64), "s": text}
    error = failure(lambda: run(inputs))
    assert error.code is Code.INVALID_ARGUMENT
    # The optimiser may swap the operands.
    assert sorted(error.message.removeprefix("Incompatible shapes: ").split(" vs. ")) == [
        "[2]",
        "[3]",
    ]


def test_the_public_way_refuses_undeclared_shapes_by_name(load: Load, any_backend: Any) -> None:
    run = load(saved_models.half_plus_two).runner("serving_default", "cpu:0")
    x = np.float32([[1], [2]])
    if any_backend.use_callables:
        assert run({"x": x})["y"].shape == (2, 1)
    else:
        assert failure(lambda: run({"x": x})).message == (
            'input "x" must have the shape [?], got [2, 1]'
        )


def remove_file(path: Path) -> None:
    (path / "saved_model.pb").unlink()


def remove_folder(path: Path) -> None:
    shutil.rmtree(path)


def cut_graph(path: Path) -> None:
    file = path / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:200])


def empty_graph(path: Path) -> None:
    (path / "saved_model.pb").write_bytes(b"")


def remove_variables(path: Path) -> None:
    shutil.rmtree(path / "variables")


def cut_variables(path: Path) -> None:
    next(path.glob("variables/*.data-*")).write_bytes(b"")


def cut_index(path: Path) -> None:
    (path / "variables" / "variables.index").write_bytes(b"short")


def other_tag(path: Path) -> None:
    def change(graph: Any) -> None:
        graph.meta_info_def.tags[:] = ["train"]

    saved_models.edit(path, change)


def unknown_op(path: Path) -> None:
    saved_models.edit(path, lambda graph: graph.graph_def.node.add(name="n", op="NoSuchOp"))


def asset_without_tensor(path: Path) -> None:
    def change(graph: Any) -> None:
        asset = graph.asset_file_def.add(filename="words.txt")
        asset.tensor_info.name = "nothing:0"

    saved_models.edit(path, change)


@pytest.mark.parametrize(
    ("damage", "code", "reason"),
    [
        (remove_file, Code.NOT_FOUND, "it has no saved_model.pb"),
        (remove_folder, Code.NOT_FOUND, "it has no saved_model.pb"),
        (cut_graph, Code.DATA_LOSS, "its saved_model.pb is damaged"),
        (empty_graph, Code.FAILED_PRECONDITION, 'it has no graph with the tag "serve"'),
        (other_tag, Code.FAILED_PRECONDITION, 'it has no graph with the tag "serve"'),
        (remove_variables, Code.DATA_LOSS, "its variables are missing or incomplete"),
        (cut_variables, Code.OUT_OF_RANGE, "Read less bytes than requested"),
        (cut_index, Code.DATA_LOSS, "file is too short to be an sstable"),
        (
            unknown_op,
            Code.UNIMPLEMENTED,
            "its graph uses the op NoSuchOp, which this TensorFlow does not have",
        ),
        (asset_without_tensor, Code.INTERNAL, "TypeError (details in the debug log)"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_version_that_does_not_load(
    backend: TensorFlowBackend,
    export: Export,
    tmp_path: Path,
    damage: Callable[[Path], None],
    code: Code,
    reason: str,
) -> None:
    path = tmp_path / "1"
    shutil.copytree(export(saved_models.half_plus_two), path)
    damage(path)
    error = failure(lambda: backend.load(path, ["cpu:0"]))
    assert (error.code, error.message) == (code, f"the SavedModel cannot be loaded: {reason}")
