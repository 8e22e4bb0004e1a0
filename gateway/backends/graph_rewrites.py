"""Changes to a graph before it is loaded, for defects of the framework.

TensorFlow 2.21 with oneDNN (its default on x86): ``BatchMatMulV2`` of float32 or bfloat16
[b > 1, 1, n, k] with one [k, m] for all b reads beyond its operand from n of about 100 on. The
process dies with SIGSEGV or, worse, the numbers are wrong (tensorflow issues 117700, 123109; pull
request 120199). A single row is never affected, so only a batching server sees it.
``BatchMatMulV3`` computes the same and has no oneDNN kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NodeDef = Any
MetaGraphDef = Any

_ONEDNN_DTYPES = frozenset({1, 14})
"""DT_FLOAT and DT_BFLOAT16 (types.proto)."""


def avoid_onednn_matmul(meta_graph: MetaGraphDef) -> int:
    """Turn every BatchMatMulV2 that may meet the defect into BatchMatMulV3, in place.

    Nodes whose declared output shape excludes it keep the faster kernel. Returns their number.
    """
    changed = 0
    for node in _nodes(meta_graph.graph_def):
        if may_meet_onednn_defect(node):
            _to_batch_matmul_v3(node)
            changed += 1
    return changed


def may_meet_onednn_defect(node: NodeDef) -> bool:
    """Whether a node can be a product [b > 1, 1, n, k] x [k, m], by dtype and declared shape."""
    if node.op != "BatchMatMulV2" or node.attr["T"].type not in _ONEDNN_DTYPES:
        return False
    shapes = node.attr["_output_shapes"].list.shape if "_output_shapes" in node.attr else ()
    if not shapes or shapes[0].unknown_rank:
        return True
    sizes = [dim.size for dim in shapes[0].dim]
    return len(sizes) == 4 and sizes[0] != 1 and sizes[1] in (-1, 1)


def _nodes(graph: Any) -> Iterator[NodeDef]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _to_batch_matmul_v3(node: NodeDef) -> None:
    dtype = node.attr["T"].type
    node.op = "BatchMatMulV3"
    del node.attr["T"]
    for name in ("Ta", "Tb", "Tout"):
        node.attr[name].type = dtype
