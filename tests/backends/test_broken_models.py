"""Version folders that are damaged or not yet complete: refused with a reason that fits in a status
page, whatever is wrong with them, and never loaded with wrong values."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.saved_model_files import MANIFEST
from gateway.backends.tensorflow import TensorFlowBackend
from gateway.errors import Code, ServingError
from tests import saved_models
from tests.backends.conftest import Export
from tests.saved_model_edits import edit as edit_model
from tests.saved_model_edits import to_text

pytestmark = pytest.mark.tf

NOT_LOADED = "the SavedModel cannot be loaded: "
NO_VARIABLES = "incomplete: its variables are missing"
DAMAGED_GRAPH = NOT_LOADED + "its saved_model.pb is damaged"
DAMAGED_VARIABLES = NOT_LOADED + "its variables are damaged"
SHARD, SIZE = "variables/variables.data-00000-of-00001", "217 bytes"
OTHER_TAG = NOT_LOADED + 'it has no graph with the tag "serve"'
UNKNOWN_OP = NOT_LOADED + "its graph uses the op NoSuchOp, which this TensorFlow does not have"

Damage = Callable[[Path], None]


@pytest.fixture
def copy(export: Export, tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    """Makes an exported model that may be damaged."""

    def copied(exporter: Callable[[Path], None]) -> Path:
        return Path(shutil.copytree(export(exporter), tmp_path / "1"))

    return copied


def refusal(backend: TensorFlowBackend, path: Path) -> tuple[Code, str]:
    with pytest.raises(ServingError) as caught:
        backend.load(path, ["cpu:0"])
    return caught.value.code, caught.value.message


def graph(path: Path) -> Path:
    return path / "saved_model.pb"


def data(path: Path) -> Path:
    return path / "variables" / "variables.data-00000-of-00001"


def index(path: Path) -> Path:
    return path / "variables" / "variables.index"


def remove(file: Callable[[Path], Path]) -> Damage:
    return lambda path: file(path).unlink()


def cut(file: Callable[[Path], Path], length: int) -> Damage:
    return lambda path: file(path).write_bytes(file(path).read_bytes()[:length]) and None


def zero(file: Callable[[Path], Path]) -> Damage:
    return lambda path: file(path).write_bytes(bytes(file(path).stat().st_size)) and None


def flip(file: Callable[[Path], Path], position: int) -> Damage:
    def damage(path: Path) -> None:
        content = bytearray(file(path).read_bytes())
        content[position] ^= 0x10
        file(path).write_bytes(content)

    return damage


def edit(change: Callable[[Any], object]) -> Damage:
    return lambda path: edit_model(path, change)


DAMAGES: dict[str, tuple[Damage, Code, str]] = {
    "no graph": (
        remove(graph),
        Code.FAILED_PRECONDITION,
        "incomplete: saved_model.pb is missing",
    ),
    "no folder": (
        shutil.rmtree,
        Code.FAILED_PRECONDITION,
        "incomplete: saved_model.pb is missing",
    ),
    "empty graph": (
        cut(graph, 0),
        Code.FAILED_PRECONDITION,
        "incomplete: saved_model.pb is empty",
    ),
    "cut graph": (cut(graph, 200), Code.DATA_LOSS, DAMAGED_GRAPH),
    "zeroed graph": (zero(graph), Code.DATA_LOSS, DAMAGED_GRAPH),
    "no index": (
        remove(index),
        Code.FAILED_PRECONDITION,
        "incomplete: variables/variables.index is missing",
    ),
    "no data": (
        remove(data),
        Code.FAILED_PRECONDITION,
        "incomplete: the data files of variables are missing",
    ),
    "no variables": (
        lambda path: shutil.rmtree(path / "variables"),
        Code.FAILED_PRECONDITION,
        NO_VARIABLES,
    ),
    "cut index": (cut(index, 5), Code.DATA_LOSS, DAMAGED_VARIABLES),
    "zeroed index": (zero(index), Code.DATA_LOSS, DAMAGED_VARIABLES),
    "flipped index": (flip(index, 20), Code.DATA_LOSS, DAMAGED_VARIABLES),
    "empty data": (cut(data, 0), Code.FAILED_PRECONDITION, f"incomplete: {SHARD} has 0 of {SIZE}"),
    "cut data": (cut(data, 5), Code.FAILED_PRECONDITION, f"incomplete: {SHARD} has 5 of {SIZE}"),
    "zeroed data": (zero(data), Code.DATA_LOSS, DAMAGED_VARIABLES),
    "flipped data": (flip(data, 2), Code.DATA_LOSS, DAMAGED_VARIABLES),
    "another tag": (
        edit(lambda graph: graph.meta_info_def.tags.append("gpu")),
        Code.FAILED_PRECONDITION,
        OTHER_TAG,
    ),
    "unknown op": (
        edit(lambda graph: graph.graph_def.node.add(name="n", op="NoSuchOp")),
        Code.UNIMPLEMENTED,
        UNKNOWN_OP,
    ),
    "missing asset": (
        edit(lambda graph: graph.asset_file_def.add(filename="words.txt")),
        Code.FAILED_PRECONDITION,
        "incomplete: assets/words.txt is missing",
    ),
}


@pytest.mark.parametrize(("damage", "code", "reason"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_folder_is_refused_for_what_is_wrong_with_it(
    any_backend: TensorFlowBackend,
    copy: Callable[..., Path],
    damage: Damage,
    code: Code,
    reason: str,
) -> None:
    path = copy(saved_models.half_plus_two)
    damage(path)
    assert refusal(any_backend, path) == (code, reason)


@pytest.mark.parametrize("exporter", [saved_models.tf1_export, saved_models.counter])
def test_variables_are_never_left_unrestored(
    any_backend: TensorFlowBackend, copy: Callable[..., Path], exporter: Any
) -> None:
    path = copy(exporter)
    shutil.rmtree(path / "variables")
    assert refusal(any_backend, path) == (Code.FAILED_PRECONDITION, NO_VARIABLES)


def test_a_model_without_variables_needs_no_checkpoint(
    any_backend: TensorFlowBackend, copy: Callable[..., Path]
) -> None:
    path = copy(saved_models.variable_length)
    shutil.rmtree(path / "variables")
    model = any_backend.load(path, ["cpu:0"])
    answer = model.runner("serving_default", "cpu:0")({"x": np.float32([[1, 2]])})
    assert answer["total"].tolist() == [3]
    model.close()


def test_random_damage_ends_in_a_refusal_or_in_a_model_that_loads(
    backend: TensorFlowBackend, copy: Callable[..., Path]
) -> None:
    path = copy(saved_models.tf1_export)
    dice = random.Random(20261122)
    for file in (graph(path), data(path), index(path)):
        intact = file.read_bytes()
        for _ in range(20):
            damaged = bytearray(intact)
            damaged[dice.randrange(len(intact))] ^= 1 << dice.randrange(8)
            file.write_bytes(damaged)
            with suppress(ServingError):  # anything else, and a crash, is a defect
                backend.load(path, ["cpu:0"]).close()
        file.write_bytes(intact)
    backend.load(path, ["cpu:0"]).close()


def test_a_manifest_tells_even_what_tensorflow_would_load(
    backend: TensorFlowBackend, copy: Callable[..., Path]
) -> None:
    path = copy(saved_models.half_plus_two)
    files = [file for file in path.rglob("*") if file.is_file()]
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(path)}\n"
        for file in files
    ]
    (path / MANIFEST).write_text("".join(lines))
    backend.load(path, ["cpu:0"]).close()
    for file in files:
        intact = file.read_bytes()
        file.write_bytes(intact + b"\0")
        assert refusal(backend, path) == (
            Code.DATA_LOSS,
            f"{MANIFEST}: {file.relative_to(path)} differs",
        )
        file.write_bytes(intact)


def test_a_graph_in_text_format_is_loaded(
    any_backend: TensorFlowBackend, copy: Callable[..., Path]
) -> None:
    path = copy(saved_models.half_plus_two)
    to_text(path)
    model = any_backend.load(path, ["cpu:0"])
    answer = model.runner("serving_default", "cpu:0")({"x": np.float32([1])})
    assert answer["y"].tolist() == [2.5]
    model.close()
    (path / "saved_model.pbtxt").write_text("meta_graphs {")
    assert refusal(any_backend, path) == (
        Code.DATA_LOSS,
        NOT_LOADED + "its saved_model.pbtxt is damaged",
    )
