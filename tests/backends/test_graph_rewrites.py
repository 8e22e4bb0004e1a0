"""BatchMatMul nodes that oneDNN gets wrong, and those it may keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.backends.graph_rewrites import avoid_onednn_matmul, may_meet_onednn_defect
from gateway.backends.tensorflow import import_tensorflow
from tests import saved_models
from tests.backends.conftest import Exporter

pytestmark = pytest.mark.tf

Shape = list[int | None] | None

FLOAT, DOUBLE, BFLOAT16, HALF = 1, 2, 14, 19


def product(shape: Shape, dtype: int = FLOAT, op: str = "BatchMatMulV2") -> Any:
    """A NodeDef with a declared output shape; without one for None."""
    tf = import_tensorflow()
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    node = NodeDef(name="product", op=op, input=["x", "w"])
    node.attr["T"].type = dtype
    node.attr["adj_y"].b = True
    if shape is not None:
        node.attr["_output_shapes"].list.shape.append(tf.TensorShape(shape).as_proto())
    return node


@pytest.mark.parametrize(
    ("shape", "dtype", "suspect"),
    [
        (None, FLOAT, True),
        ([None, 1, 100, 8], FLOAT, True),
        ([None, None, None, None], FLOAT, True),
        ([5, 1, 100, 8], BFLOAT16, True),
        ([None, 12, None, None], FLOAT, False),
        ([1, 1, 100, 8], FLOAT, False),
        ([None, 100, 8], FLOAT, False),
        ([None, 1, 1, 100, 8], FLOAT, False),
        ([None, 1, 100, 8], DOUBLE, False),
        ([None, 1, 100, 8], HALF, False),
    ],
)
def test_which_products_are_suspect(shape: Shape, dtype: int, suspect: bool) -> None:
    assert may_meet_onednn_defect(product(shape, dtype)) is suspect


def test_an_unknown_rank_is_suspect() -> None:
    node = product(None)
    node.attr["_output_shapes"].list.shape.add().unknown_rank = True
    assert may_meet_onednn_defect(node)


def test_other_ops_are_left_alone() -> None:
    assert not may_meet_onednn_defect(product([None, 1, 100, 8], op="MatMul"))


def test_nodes_of_the_graph_and_of_functions_are_replaced() -> None:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    meta_graph = MetaGraphDef()
    meta_graph.graph_def.node.append(product([None, 1, 9, 9]))
    meta_graph.graph_def.node.append(product([None, 12, 9, 9]))
    body = meta_graph.graph_def.library.function.add().node_def
    body.append(product(None, BFLOAT16))
    assert avoid_onednn_matmul(meta_graph) == 2
    first, second = meta_graph.graph_def.node
    assert (first.op, second.op) == ("BatchMatMulV3", "BatchMatMulV2")
    assert {key: first.attr[key].type for key in ("Ta", "Tb", "Tout")} == dict.fromkeys(
        ("Ta", "Tb", "Tout"), FLOAT
    )
    assert "T" not in first.attr
    assert first.attr["adj_y"].b
    assert list(first.input) == ["x", "w"]
    assert body[0].attr["Tout"].type == BFLOAT16


def test_the_product_of_an_exported_model_is_found(
    meta_graph: Callable[[Exporter], Any],
) -> None:
    assert avoid_onednn_matmul(meta_graph(saved_models.broadcast_matmul)) >= 1
