"""What a MetaGraphDef asks for: initialisers, assets, a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.model_contents import asset_files, check_assets, initialiser, must_restore
from gateway.backends.tensorflow import TensorFlowBackend, tensorflow_api
from gateway.errors import Code, ServingError
from tests import saved_models
from tests.backends.conftest import Export

pytestmark = pytest.mark.tf


@pytest.fixture
def meta() -> Any:
    return tensorflow_api().meta_graph_pb2.MetaGraphDef()


@pytest.mark.parametrize("collection", ["saved_model_main_op", "legacy_init_op"])
@pytest.mark.parametrize("reference", ["init", "init:0"])
def test_the_initialiser_of_a_collection(meta: Any, collection: str, reference: str) -> None:
    assert initialiser(meta) == ""
    meta.collection_def[collection].node_list.value.append(reference)
    assert initialiser(meta) == "init"
    meta.collection_def[collection].node_list.value.append("another")
    with pytest.raises(ServingError, match=f"{collection} names 2 ops instead of one"):
        initialiser(meta)


def test_the_initialiser_of_a_signature_comes_first(meta: Any) -> None:
    meta.collection_def["legacy_init_op"].node_list.value.append("old")
    meta.collection_def["saved_model_main_op"].node_list.value.append("newer")
    assert initialiser(meta) == "newer"
    outputs = meta.signature_def["__saved_model_init_op"].outputs
    outputs["__saved_model_init_op"].name = "newest:0"
    assert initialiser(meta) == "newest"


def asset(tensor: str, filename: str) -> Any:
    file = tensorflow_api().meta_graph_pb2.AssetFileDef(filename=filename)
    file.tensor_info.name = tensor
    return file


def test_assets_of_old_and_new_exports(meta: Any) -> None:
    asset_type = tensorflow_api().meta_graph_pb2.AssetFileDef
    assert asset_files(meta, asset_type) == {}
    packed = meta.collection_def["saved_model_assets"].any_list.value
    packed.add().Pack(asset("old:0", "a.txt"))
    packed.add().Pack(asset("other:0", "a.txt"))
    assert asset_files(meta, asset_type) == {"old:0": "a.txt", "other:0": "a.txt"}
    meta.asset_file_def.append(asset("new:0", "b.txt"))
    assert asset_files(meta, asset_type) == {"new:0": "b.txt"}


def test_an_asset_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.txt").touch()
    check_assets(tmp_path, {"x:0": "a.txt"})
    with pytest.raises(ServingError, match=r"^incomplete: assets/b.txt is missing$") as caught:
        check_assets(tmp_path, {"x:0": "a.txt", "y:0": "b.txt"})
    assert caught.value.code is Code.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("op", "holds"),
    [
        ("VarHandleOp", True),
        ("VariableV2", True),
        ("Variable", True),
        ("MutableHashTableV2", True),
        ("HashTableV2", False),
        ("VarIsInitializedOp", False),
        ("Const", False),
    ],
)
def test_what_cannot_do_without_a_checkpoint(
    meta: Any, tmp_path: Path, op: str, holds: bool
) -> None:
    meta.graph_def.node.add(name="v", op=op)
    assert not must_restore(tmp_path, meta)  # an export without a saver initialises itself
    meta.saver_def.restore_op_name = "save/restore_all"
    if holds:
        with pytest.raises(ServingError, match="incomplete: its variables are missing"):
            must_restore(tmp_path, meta)
    else:
        assert not must_restore(tmp_path, meta)
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").touch()
    assert must_restore(tmp_path, meta)


def test_an_asset_is_read_from_where_the_model_is(
    any_backend: TensorFlowBackend, export: Export
) -> None:
    model = any_backend.load(export(saved_models.vocabulary), ["cpu:0"])
    words = np.array([b"two", b"seven"], object)
    answer = model.runner("serving_default", "cpu:0")({"word": words})
    assert answer["number"].tolist() == [1, -1]
    model.close()
