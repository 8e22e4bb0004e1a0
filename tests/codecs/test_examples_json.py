"""REST classify and regress requests to serialized tf.Examples."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from codec_helpers import PROPERTY
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.base import FeatureKind
from gateway.codecs.examples_json import ExamplesBody, encode_examples, parse_examples
from gateway.errors import Code, ServingError
from gateway.protos.tensors import Example


def encoded(body: Any, **features: FeatureKind) -> list[bytes]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    array = encode_examples(parse_examples(data), features)
    assert array.dtype == object
    assert array.shape == (len(array),)
    return array.tolist()


def read(serialized: bytes) -> dict[str, tuple[str | None, list[Any]]]:
    """FeatureKind and values by feature."""
    features = Example.FromString(serialized).features.feature
    return {name: _values(feature) for name, feature in features.items()}


def _values(feature: Any) -> tuple[str | None, list[Any]]:
    kind = feature.WhichOneof("kind")
    return kind, list(getattr(feature, kind).value) if kind else []


def one(value: Any, **features: FeatureKind) -> tuple[str | None, list[Any]]:
    """How a value of the feature x is encoded."""
    (serialized,) = encoded({"examples": [{"x": value}]}, **features)
    return read(serialized)["x"]


def refusal(body: Any, **features: FeatureKind) -> str:
    with pytest.raises(ServingError) as caught:
        encoded(body, **features)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (8.5, ("float_list", [8.5])),
        ([8.0, 9.25], ("float_list", [8.0, 9.25])),
        (20, ("int64_list", [20])),
        ([-(2**63), 2**63 - 1], ("int64_list", [-(2**63), 2**63 - 1])),
        (True, ("int64_list", [1])),
        ([1, True, False], ("int64_list", [1, 1, 0])),
        ("é", ("bytes_list", ["é".encode()])),
        ([{"b64": "aGVsbG8="}, "x"], ("bytes_list", [b"hello", b"x"])),
        ({"b64": ""}, ("bytes_list", [b""])),
        ([], (None, [])),
        (1e300, ("float_list", [math.inf])),
    ],
)
def test_kinds(value: Any, expected: tuple[str, list[Any]]) -> None:
    assert one(value) == expected


def test_bare_constants_are_floats() -> None:
    (serialized,) = encoded(b'{"examples": [{"x": [NaN, Infinity, -Infinity, 2.0]}]}')
    kind, values = read(serialized)["x"]
    assert kind == "float_list"
    assert np.array_equal(values, [math.nan, math.inf, -math.inf, 2], equal_nan=True)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (2, "float", ("float_list", [2.0])),
        ([2, 2.5], "float", ("float_list", [2.0, 2.5])),
        (2**64 - 1, "float", ("float_list", [2.0**64])),
        (True, "float", ("int64_list", [1])),
        (2.5, "int64", ("float_list", [2.5])),
        (2, "int64", ("int64_list", [2])),
        (2, "bytes", ("int64_list", [2])),
    ],
)
def test_what_the_model_reads(
    value: Any, kind: FeatureKind, expected: tuple[str, list[Any]]
) -> None:
    assert one(value, x=kind) == expected


def test_examples_of_different_features() -> None:
    first, second, third = encoded({"examples": [{"a": 1, "b": "x"}, {"c": 2.5}, {}]})
    assert read(first) == {"a": ("int64_list", [1]), "b": ("bytes_list", [b"x"])}
    assert read(second) == {"c": ("float_list", [2.5])}
    assert third == b""


def test_an_example_s_own_feature_wins_over_the_context() -> None:
    context = {"query": "pizza", "n": 1}
    first, second = encoded({"context": context, "examples": [{"n": 2}, {}]}, n="float")
    assert read(first) == {"query": ("bytes_list", [b"pizza"]), "n": ("float_list", [2.0])}
    assert read(second) == {"query": ("bytes_list", [b"pizza"]), "n": ("float_list", [1.0])}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"examples": [{}]}, "serving_default"),
        ({"examples": [{}], "signature_name": ""}, "serving_default"),
        ({"examples": [{}], "signature_name": "s", "more": 1}, "s"),
    ],
)
def test_signature_name(body: Any, name: str) -> None:
    assert parse_examples(json.dumps(body).encode()) == ExamplesBody(name, None, [{}])


@pytest.mark.parametrize(
    ("body", "phrase"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"nope", "JSON Parse error: Invalid value. at offset: 0"),
        (b"[]", "JSON Value: [] Type: Array Is not object"),
        (
            {"signature_name": 1, "examples": [{}]},
            "not formatted correctly. 'signature_name' key must be a string value.",
        ),
        (
            {"context": {}},
            'JSON Value: {"context":{}} When method is classify or regress,'
            " key 'examples' is expected and was not found (got: [\"context\"])",
        ),
        (
            {"examples": {"x": 1}},
            'JSON Value: {"examples":{"x":1}} Expecting \'examples\' value to be an list/array'
            " (got Object)",
        ),
        ({"examples": []}, "JSON Value: {\"examples\":[]} 'examples' value is an empty array"),
        (
            {"context": [{"x": 1}]},
            'Example must be JSON object but got JSON Array (context: [{"x":1}])',
        ),
        (
            {"examples": [{"x": 1}, [2]]},
            "Example must be JSON object but got JSON Array (example 1: [2])",
        ),
        (
            {"examples": [{"x": [10, None]}]},
            "Feature: x has element with unexpected JSON type: Null (example 0, got null)",
        ),
        (
            {"examples": [{}, {"x": [[10], 20]}]},
            "Feature: x has element with unexpected JSON type: Array (example 1, got [10])",
        ),
        (
            {"context": {"x": {"test": 10}}, "examples": [{}]},
            'Feature: x has element with unexpected JSON type: Object (context, got {"test":10})',
        ),
        (
            {"examples": [{"x": ["a", {"b64": 1}]}]},
            "Feature: x has element with unexpected JSON type: Object",
        ),
        (
            {"examples": [{"x": [10, 10.5]}]},
            "Unexpected element type in feature: x expecting type: int64 (example 0, got 10.5)",
        ),
        (
            {"examples": [{"x": [1.5, 2]}]},
            "Unexpected element type in feature: x expecting type: float (example 0, got 2)",
        ),
        (
            {"examples": [{"x": ["a", 1]}]},
            "Unexpected element type in feature: x expecting type: bytes (example 0, got 1)",
        ),
        (
            {"examples": [{"x": [20, 2**63]}]},
            "Feature: x has uint64 element. Only int64 is supported."
            " (example 0, got 9223372036854775808)",
        ),
        (
            {"examples": [{"x": {"b64": "?"}}]},
            'Feature: x: Unable to base64 decode (example 0, got {"b64":"?"})',
        ),
    ],
)
def test_refused(body: Any, phrase: str) -> None:
    assert phrase in refusal(body)


def test_mixing_under_a_float_feature() -> None:
    message = refusal({"examples": [{"x": [1, "a"]}]}, x="float")
    assert message.startswith("Unexpected element type in feature: x expecting type: float")


def test_a_long_name_is_cut() -> None:
    assert len(refusal({"examples": [{"x" * 5000: None}]})) < 400


WHOLE = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)
FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1)
TEXTS = st.lists(st.text(), min_size=1)
FEATURES = st.dictionaries(st.text(), WHOLE | FLOATS | TEXTS, max_size=4)


@PROPERTY
@given(FEATURES, st.lists(FEATURES, min_size=1, max_size=3))
def test_every_value_arrives(context: dict[str, Any], examples: list[dict[str, Any]]) -> None:
    for serialized, example in zip(
        encoded({"context": context, "examples": examples}), examples, strict=True
    ):
        values = {name: values for name, (_, values) in read(serialized).items()}
        assert values == {name: _as_stored(v) for name, v in {**context, **example}.items()}


def _as_stored(values: list[Any]) -> list[Any]:
    return [value.encode() if isinstance(value, str) else value for value in values]


@pytest.mark.tf
def test_tensorflow_parses_what_is_encoded() -> None:
    from gateway.backends.tensorflow import import_tensorflow

    tf = import_tensorflow()
    body = {
        "context": {"x": 1.5, "tag": "c"},
        "examples": [{"n": [1, 2]}, {"x": 2, "n": [3, 4], "tag": {"b64": "/w=="}}],
    }
    serialized = encoded(body, x="float")
    features = {
        "x": tf.io.FixedLenFeature([], tf.float32),
        "n": tf.io.FixedLenFeature([2], tf.int64),
        "tag": tf.io.FixedLenFeature([], tf.string),
    }
    parsed = tf.io.parse_example(tf.constant(serialized), features)
    assert parsed["x"].numpy().tolist() == [1.5, 2.0]
    assert parsed["n"].numpy().tolist() == [[1, 2], [3, 4]]
    assert parsed["tag"].numpy().tolist() == [b"c", b"\xff"]
