"""What a MetaGraphDef says must be done and be there before its model can run.

Works on proto objects that are passed in; imports no framework.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.backends.saved_model_files import has_variables
from gateway.errors import Code, ServingError

MetaGraphDef = Any

_HOLDS_VALUES = re.compile(r"VarHandleOp|Variable(V2)?|AutoReloadVariable|Mutable\w*HashTable\w*")
"""Ops whose content a checkpoint keeps."""

# Names of TensorFlow, saved_model/constants.h.
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS_COLLECTION = "saved_model_assets"


def initialiser(meta_graph: MetaGraphDef) -> str:
    """The op that fills tables and the like after a restore; empty when there is none.

    Raises ServingError for a collection that names several.
    """
    if _INIT_SIGNATURE in meta_graph.signature_def:
        return _op_name(meta_graph.signature_def[_INIT_SIGNATURE].outputs[_INIT_SIGNATURE].name)
    for key in _INIT_COLLECTIONS:
        if key in meta_graph.collection_def:
            ops = meta_graph.collection_def[key].node_list.value
            if len(ops) != 1:
                raise incomplete(f"its collection {key} names {len(ops)} ops instead of one")
            return _op_name(ops[0])
    return ""


def asset_files(meta_graph: MetaGraphDef, asset_type: Any) -> dict[str, str]:
    """Names in the folder ``assets`` by the tensor that takes the path; ``asset_type`` is the
    AssetFileDef message class."""
    assets = list(meta_graph.asset_file_def)
    if not assets and _ASSETS_COLLECTION in meta_graph.collection_def:
        for packed in meta_graph.collection_def[_ASSETS_COLLECTION].any_list.value:
            assets.append(asset := asset_type())
            packed.Unpack(asset)
    return {asset.tensor_info.name: asset.filename for asset in assets}


def must_restore(path: Path, meta_graph: MetaGraphDef) -> bool:
    """Whether there is a checkpoint for the graph to restore.

    Raises ServingError for variables without one: TensorFlow would run the model with nothing in
    them, or with what their initialisers put there (serving issue 1086).
    """
    if not meta_graph.saver_def.restore_op_name:
        return False
    if has_variables(path):
        return True
    if any(_HOLDS_VALUES.fullmatch(node.op) for node in meta_graph.graph_def.node):
        raise incomplete("its variables are missing")
    return False


def check_assets(path: Path, assets: Mapping[str, str]) -> None:
    """Raises ServingError for an asset that is not in the version folder ``path``."""
    for name in sorted(set(assets.values())):
        if not (path / "assets" / name).exists():
            raise incomplete(f"assets/{name} is missing")


def incomplete(reason: str) -> ServingError:
    """The version folder lacks something; more may come."""
    return ServingError(Code.FAILED_PRECONDITION, f"incomplete: {reason}")


def _op_name(reference: str) -> str:
    return reference.partition(":")[0]
