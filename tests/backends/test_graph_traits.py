"""Which fetches change a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.backends.graph_traits import GraphTraits
from gateway.backends.tensorflow import import_tensorflow
from tests import saved_models
from tests.backends.conftest import Exporter

pytestmark = pytest.mark.tf


def graph(nodes: Sequence[Any], functions: dict[str, Sequence[Any]] | None = None) -> Any:
    import_tensorflow()
    from tensorflow.core.framework.graph_pb2 import GraphDef

    proto = GraphDef(node=nodes)
    for name, body in (functions or {}).items():
        function = proto.library.function.add()
        function.signature.name = name
        function.node_def.extend(body)
    return proto


def node(name: str, op: str, *inputs: str, **functions: str | list[str]) -> Any:
    """A NodeDef; ``functions`` become function attributes."""
    import_tensorflow()
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    proto = NodeDef(name=name, op=op, input=inputs)
    for key, value in functions.items():
        if isinstance(value, str):
            proto.attr[key].func.name = value
        else:
            for item in value:
                proto.attr[key].list.func.add().name = item
    return proto


@pytest.mark.parametrize(
    ("exporter", "stateful"),
    [
        (saved_models.half_plus_two, {"serving_default": False}),
        (saved_models.picky, {"serving_default": False}),
        (saved_models.counter, {"serving_default": True, "peek": False}),
        (
            saved_models.tf1_export,
            {"serving_default": False, "increment": True, "lookup": False},
        ),
    ],
)
def test_exported_models(
    meta_graph: Callable[[Exporter], Any], exporter: Exporter, stateful: dict[str, bool]
) -> None:
    proto = meta_graph(exporter)
    traits = GraphTraits(proto.graph_def)
    for name, expected in stateful.items():
        outputs = proto.signature_def[name].outputs.values()
        assert traits.is_stateful(output.name for output in outputs) is expected


@pytest.mark.parametrize(
    "op",
    [
        "Assign",
        "AssignSub",
        "AssignAddVariableOp",
        "ScatterNdUpdate",
        "ResourceScatterAdd",
        "ResourceSparseApplyFtrlV2",
        "ApplyMomentum",
        "LookupTableInsertV2",
        "LookupTableImportV2",
        "QueueEnqueueManyV2",
        "QueueDequeueV2",
        "StackPushV2",
        "BarrierInsertMany",
        "IteratorGetNext",
        "WriteFile",
    ],
)
def test_ops_that_write(op: str) -> None:
    assert GraphTraits(graph([node("a", op)])).is_stateful(["a:0"])


@pytest.mark.parametrize(
    "op",
    [
        "ReadVariableOp",
        "VariableV2",
        "VarHandleOp",
        "LookupTableFindV2",
        "MutableHashTableV2",
        "ScatterNd",
        "TensorScatterUpdate",
        "TensorListPushBack",
        "TensorArrayWriteV3",
        "Assert",
        "RandomUniform",
        "QueueSizeV2",
    ],
)
def test_ops_that_only_read(op: str) -> None:
    assert not GraphTraits(graph([node("a", op)])).is_stateful(["a:0"])


def test_only_what_the_fetch_needs_counts() -> None:
    nodes = [
        node("x", "Placeholder"),
        node("y", "Neg", "x"),
        node("restore", "AssignVariableOp", "x"),
        node("through_data", "Neg", "restore:1"),
        node("through_control", "Neg", "x", "^restore"),
    ]
    traits = GraphTraits(graph(nodes))
    assert not traits.is_stateful(["y:0"])
    assert traits.is_stateful(["through_data:0"])
    assert traits.is_stateful(["through_control:0"])
    assert traits.is_stateful(["y:0", "restore:0"])


def test_a_loop_of_the_graph_ends() -> None:
    nodes = [node("a", "Merge", "b"), node("b", "NextIteration", "a")]
    assert not GraphTraits(graph(nodes)).is_stateful(["b:0"])


WRITER = [node("w", "AssignAddVariableOp")]
READER = [node("r", "ReadVariableOp")]


@pytest.mark.parametrize(
    ("call", "functions"),
    [
        (node("c", "PartitionedCall", f="writer"), {"writer": WRITER}),
        (
            node("c", "If", then_branch="reader", else_branch="writer"),
            {"reader": READER, "writer": WRITER},
        ),
        (node("c", "Case", branches=["reader", "writer"]), {"reader": READER, "writer": WRITER}),
        (node("c", "writer"), {"writer": WRITER}),
        (
            node("c", "StatefulPartitionedCall", f="outer"),
            {"outer": [node("i", "While", body="writer", cond="reader")]}
            | {"reader": READER, "writer": WRITER},
        ),
    ],
    ids=["call", "branch", "list", "op-is-function", "nested"],
)
def test_function_bodies_are_looked_into(call: Any, functions: dict[str, Sequence[Any]]) -> None:
    assert GraphTraits(graph([call], functions)).is_stateful(["c:0"])
    harmless = {name: READER if body is WRITER else body for name, body in functions.items()}
    assert not GraphTraits(graph([call], harmless)).is_stateful(["c:0"])


def test_functions_that_call_each_other() -> None:
    functions = {
        "even": [node("o", "PartitionedCall", f="odd"), *WRITER],
        "odd": [node("e", "PartitionedCall", f="even")],
    }
    nodes = [node("a", "PartitionedCall", f="odd"), node("b", "PartitionedCall", f="even")]
    traits = GraphTraits(graph(nodes, functions))
    assert traits.is_stateful(["b:0"])
    assert traits.is_stateful(["a:0"])
