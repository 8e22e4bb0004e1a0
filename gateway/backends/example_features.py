"""Which features a signature reads from tf.Example records, from its GraphDef.

Works on proto objects that are passed in; imports no framework.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.backends.base import FeatureKind
from gateway.backends.graph_traits import Body, GraphTraits, node_name

NodeDef = Any

_KINDS: Mapping[int, FeatureKind] = {1: "float", 9: "int64", 7: "bytes"}
"""DT_FLOAT, DT_INT64 and DT_STRING (types.proto): all that a tf.Example can hold."""

_PARSERS = frozenset({"ParseExample", "ParseExampleV2", "ParseSingleExample"})


def example_features(traits: GraphTraits, fetches: Iterable[str]) -> dict[str, FeatureKind]:
    """Kinds by name of the features that the ops parse which ``fetches`` need, also in functions.

    A feature that is parsed in two ways is left out, as are names that are not constant.
    """
    found: dict[str, FeatureKind] = {}
    ambiguous: set[str] = set()
    for body in traits.bodies(fetches):
        if body.ops & _PARSERS:
            for name, kind in _parsed(body):
                if found.setdefault(name, kind) != kind:
                    ambiguous.add(name)
    return {name: kind for name, kind in sorted(found.items()) if name not in ambiguous}


def _parsed(body: Body) -> Iterator[tuple[str, FeatureKind]]:
    constants = {node.name: node for node in body.nodes if node.op == "Const"}
    for node in body.nodes:
        if node.op in _PARSERS:
            for keys, types in _keys_and_types(node, constants):
                if len(keys) == len(types):
                    yield from _known(keys, types)


def _known(keys: Sequence[bytes], types: Sequence[int]) -> Iterator[tuple[str, FeatureKind]]:
    for key, number in zip(keys, types, strict=True):
        if number in _KINDS:
            yield key.decode(errors="replace"), _KINDS[number]


def _keys_and_types(
    node: NodeDef, constants: Mapping[str, NodeDef]
) -> Iterator[tuple[Sequence[bytes], Sequence[int]]]:
    """Pairs of feature names and dtypes; the ops differ in where they keep the names
    (TensorFlow, ops/parsing_ops.cc)."""
    dense, sparse = _list(node, "Tdense").type, _list(node, "sparse_types").type
    if node.op == "ParseSingleExample":
        yield _list(node, "dense_keys").s, dense
        yield _list(node, "sparse_keys").s, sparse
    elif node.op == "ParseExample":  # serialized, names, one scalar per key
        keys = [_strings(constants, reference) for reference in node.input[2:]]
        yield _joined(keys[: len(sparse)]), sparse
        yield _joined(keys[len(sparse) : len(sparse) + len(dense)]), dense
    else:  # serialized, names, one vector per group
        ragged = _list(node, "ragged_value_types").type
        for reference, types in zip(node.input[2:5], (sparse, dense, ragged), strict=True):
            yield _strings(constants, reference), types


def _list(node: NodeDef, attribute: str) -> Any:
    return node.attr[attribute].list


def _joined(parts: Sequence[Sequence[bytes]]) -> list[bytes]:
    return [key for part in parts for key in part]


def _strings(constants: Mapping[str, NodeDef], reference: str) -> Sequence[bytes]:
    """Elements of a constant string tensor; none for anything else."""
    constant = constants.get(node_name(reference))
    if constant is None:
        return ()
    values: Sequence[bytes] = constant.attr["value"].tensor.string_val
    return values
