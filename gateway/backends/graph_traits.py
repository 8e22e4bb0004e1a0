"""What a graph does, read from its GraphDef: does a run of these outputs change the model?

Works on proto objects that are passed in; imports no framework.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
class _Effects:
    """What the nodes of a function body do by themselves and which functions they call."""

    writes: bool
    calls: frozenset[str]


class GraphTraits:
    """Answers questions about one GraphDef; reads every function body at most once."""

    def __init__(self, graph: GraphDef) -> None:
        self._nodes: Mapping[str, NodeDef] = {node.name: node for node in graph.node}
        self._functions = {f.signature.name: f for f in graph.library.function}
        self._effects: dict[str, _Effects] = {}

    def is_stateful(self, fetches: Iterable[str]) -> bool:
        """Whether computing the tensors ``fetches`` (``name:0``) runs an op that writes variables,
        tables, queues or files. Initialisers and restores that no fetch needs do not count."""
        effects = self._summarise(self._reached(fetches))
        return effects.writes or self._any_function_writes(effects.calls)

    def _reached(self, fetches: Iterable[str]) -> Iterator[NodeDef]:
        """The nodes that the fetches need, through data and control inputs."""
        waiting = [_node_name(fetch) for fetch in fetches]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            node = self._nodes[name]
            waiting.extend(map(_node_name, node.input))
            yield node

    def _any_function_writes(self, names: Iterable[str]) -> bool:
        waiting = list(names)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            effects = self._function_effects(name)
            if effects.writes:
                return True
            waiting.extend(effects.calls)
        return False

    def _function_effects(self, name: str) -> _Effects:
        if name not in self._effects:
            # All nodes of a body count: those with effects run even if no result needs them.
            self._effects[name] = self._summarise(self._functions[name].node_def)
        return self._effects[name]

    def _summarise(self, nodes: Iterable[NodeDef]) -> _Effects:
        writes = False
        calls: set[str] = set()
        for node in nodes:
            writes = writes or _WRITES_STATE.fullmatch(node.op) is not None
            calls.update(name for name in _called(node) if name in self._functions)
        return _Effects(writes, frozenset(calls))


def _node_name(reference: str) -> str:
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
