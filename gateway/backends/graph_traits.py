"""What a graph does, read from its GraphDef: which nodes and functions a run of these
outputs takes part in, and whether they change the model.

Works on proto objects that are passed in; imports no framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

NodeDef = Any
GraphDef = Any

_WRITES_STATE = re.compile(
    r"Assign.*|(Resource)?StridedSliceAssign"
    r"|(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)"
    r"|(Resource)?CountUpTo"
    r"|(Resource)?(Sparse)?Apply[A-Z].*"
    r"|LookupTable(Insert|Import|Remove)(V2)?|InitializeTable.*"
    r"|Queue(Enqueue|Dequeue|Close).*"
    r"|Stack(Push|Pop|Close)(V2)?"
    r"|Barrier(InsertMany|TakeMany|Close)"
    r"|(Sparse|Resource)?Accumulator(ApplyGradient|TakeGradient|SetGlobalStep)"
    r"|((Ordered)?Map)?(Stage|Unstage|UnstageNoKey|Clear)|StageClear"
    r"|Reader(Read|Reset|RestoreState).*"
    r"|(Multi)?(Device)?IteratorGetNext.*"
    r"|Save(V2|Slices)?|WriteFile|MergeV2Checkpoints|Write\w*Summary"
)
"""Ops with a lasting effect. Random generators are left out: their state is no part of what a
model has learnt or counted."""


@dataclass(frozen=True, slots=True)
class Body:
    """Nodes that run together: those of the graph that a fetch needs, or a function's."""

    nodes: Sequence[NodeDef]
    ops: frozenset[str]
    """What kinds of nodes there are."""
    calls: frozenset[str]
    """Functions of the graph that they may call."""


class GraphTraits:
    """Answers questions about one GraphDef; reads every function body at most once."""

    def __init__(self, graph: GraphDef) -> None:
        self._nodes: Mapping[str, NodeDef] = {node.name: node for node in graph.node}
        self._functions = {f.signature.name: f for f in graph.library.function}
        self._bodies: dict[str, Body] = {}

    def is_stateful(self, fetches: Iterable[str]) -> bool:
        """Whether computing the tensors ``fetches`` (``name:0``) runs an op that writes variables,
        tables, queues or files. Initialisers and restores that no fetch needs do not count."""
        return any(map(_writes_state, (op for body in self.bodies(fetches) for op in body.ops)))

    def bodies(self, fetches: Iterable[str]) -> Iterator[Body]:
        """The nodes of the graph that the tensors ``fetches`` need, then each function that these
        may call, directly or not."""
        reached = self._body(list(self._reached(fetches)))
        yield reached
        waiting = list(reached.calls)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            body = self._function(name)
            yield body
            waiting.extend(body.calls)

    def _reached(self, fetches: Iterable[str]) -> Iterator[NodeDef]:
        """Through data and control inputs."""
        waiting = [node_name(fetch) for fetch in fetches]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            node = self._nodes[name]
            waiting.extend(map(node_name, node.input))
            yield node

    def _function(self, name: str) -> Body:
        if name not in self._bodies:
            # All nodes of a body count: those with effects run even if no result needs them.
            self._bodies[name] = self._body(self._functions[name].node_def)
        return self._bodies[name]

    def _body(self, nodes: Sequence[NodeDef]) -> Body:
        calls = {name for node in nodes for name in _called(node) if name in self._functions}
        return Body(nodes, frozenset(node.op for node in nodes), frozenset(calls))


@cache
def _writes_state(op: str) -> bool:
    return _WRITES_STATE.fullmatch(op) is not None


def node_name(reference: str) -> str:
    """``^name``, ``name:1`` and ``name`` all refer to the node ``name``."""
    return reference.removeprefix("^").partition(":")[0]


def _called(node: NodeDef) -> Iterator[str]:
    """Names of functions that a node may call: its own op (TF1), and function attributes."""
    yield node.op
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            yield value.func.name
        elif kind == "list":
            yield from (function.name for function in value.list.func)
