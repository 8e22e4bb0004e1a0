"""Features of tf.Example signatures, read from graphs."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.example_features import example_features
from gateway.backends.graph_traits import GraphTraits
from gateway.backends.tensorflow import import_tensorflow
from tests import example_models
from tests.backends.conftest import Load
from tests.backends.test_graph_traits import graph, node

pytestmark = pytest.mark.tf

FLOAT, INT32, STRING, INT64 = 1, 3, 7, 9


def test_a_tensorflow_2_export(load: Load) -> None:
    signatures = load(example_models.examples).signatures
    assert signatures["serving_default"].features == {"k": "int64", "name": "bytes", "x": "float"}
    assert signatures["single"].features == {"k": "int64", "x": "float"}
    assert signatures["text"].features == {}


def test_a_tensorflow_1_export(load: Load) -> None:
    signatures = load(example_models.tf1_examples).signatures
    assert signatures["serving_default"].features == {"k": "int64", "x": "float"}
    # Which of the two strings holds the examples is not known.
    assert signatures["named"].features == {}


def strings(name: str, *values: str) -> Any:
    constant = node(name, "Const")
    tensor = import_tensorflow().make_tensor_proto(list(values))
    constant.attr["value"].tensor.CopyFrom(tensor)
    return constant


def parser(dense_keys: str, *dense_types: int) -> Any:
    proto = node("parse", "ParseExampleV2", "text", "names", "none", dense_keys, "none")
    proto.attr["Tdense"].list.type.extend(dense_types)
    return proto


def features(*nodes: Any) -> dict[str, str]:
    proto = graph([node("text", "Placeholder"), strings("none"), *nodes])
    return dict(example_features(GraphTraits(proto), ["parse:0"]))


def test_names_that_are_constants() -> None:
    assert features(strings("keys", "a", "b"), parser("keys", INT64, STRING)) == {
        "a": "int64",
        "b": "bytes",
    }


def test_what_is_not_certain_is_left_out() -> None:
    assert features(node("keys", "Placeholder"), parser("keys", FLOAT)) == {}
    assert features(strings("keys", "a", "b"), parser("keys", FLOAT)) == {}
    assert features(strings("keys", "a", "b"), parser("keys", INT32, FLOAT)) == {"b": "float"}
