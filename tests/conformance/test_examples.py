"""§3 and §4, classify and regress: from JSON to tf.Examples, and the results."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.conformance.server import Server

pytestmark = pytest.mark.tf

ONE = {"examples": [{"x": 0.25}]}


@pytest.mark.parametrize(
    ("signature", "results"),
    [
        pytest.param("serving_default", [[["low", 0.75], ["high", 0.25]]], id="classes and scores"),
        pytest.param("classes", [[["low", 0.0], ["high", 0.0]]], id="no score output: score 0"),
        pytest.param("scores", [[["", 0.75], ["", 0.25]]], id='no label output: label ""'),
    ],
)
def test_classify(server: Server, signature: str, results: Any) -> None:
    answer = server.post("examples:classify", {"signature_name": signature} | ONE)
    assert (answer.status, answer.json) == (200, {"results": results})


@pytest.mark.parametrize(
    "signature",
    [pytest.param("regress", id="outputs [n]"), pytest.param("column", id="outputs [n, 1]")],
)
def test_regress(server: Server, signature: str) -> None:
    body = {"signature_name": signature, "examples": [{"x": 0.25}, {"x": [1.5]}]}
    answer = server.post("examples:regress", body)
    assert (answer.status, answer.body) == (200, b'{"results":[0.5,3.0]}')


def test_the_default_signature(server: Server) -> None:
    answer = server.post("examples:classify", ONE)
    assert answer.json == {"results": [[["low", 0.75], ["high", 0.25]]]}


def test_a_whole_number_for_a_float_feature(server: Server) -> None:
    """TF Serving builds an int64 feature, which the model refuses."""
    body = {"signature_name": "regress", "examples": [{"x": 2}]}
    assert server.post("examples:regress", body).json == {"results": [4.0]}


def built(server: Server, example: Any, context: Any = None) -> Any:
    """The tf.Example that the server makes of ``example``."""
    from tensorflow.core.example.example_pb2 import Example

    body = {"examples": [example]} | ({} if context is None else {"context": context})
    answer = server.post("shown:classify", body)
    assert answer.status == 200, answer.error
    ((label, _),) = answer.json["results"][0]
    serialized = base64.b64decode(label["b64"]) if isinstance(label, dict) else label.encode()
    return Example.FromString(serialized)


def example(**features: tuple[str, list[Any]]) -> Any:
    from tensorflow.core.example.example_pb2 import Example

    return Example(
        features={"feature": {name: {kind: {"value": v}} for name, (kind, v) in features.items()}}
    )


@pytest.mark.parametrize(
    ("value", "kind", "values"),
    [
        pytest.param(1.5, "float_list", [1.5], id="a fraction"),
        pytest.param([1.5, -2.25], "float_list", [1.5, -2.25], id="fractions"),
        pytest.param(1e300, "float_list", [float("inf")], id="too large for float"),
        pytest.param(2, "int64_list", [2], id="a whole number"),
        pytest.param([1, -(2**63)], "int64_list", [1, -(2**63)], id="whole numbers"),
        pytest.param(True, "int64_list", [1], id="true"),
        pytest.param([False, True], "int64_list", [0, 1], id="booleans"),
        pytest.param("zoë", "bytes_list", ["zoë".encode()], id="text"),
        pytest.param({"b64": "/wA="}, "bytes_list", [b"\xff\x00"], id="b64"),
        pytest.param(["a", {"b64": "Yg=="}], "bytes_list", [b"a", b"b"], id="texts and b64"),
    ],
)
def test_features(server: Server, value: Any, kind: str, values: list[Any]) -> None:
    assert built(server, {"f": value}) == example(f=(kind, values))


def test_a_feature_without_values(server: Server) -> None:
    assert list(built(server, {"f": []}).features.feature) == ["f"]


def test_context_is_merged_and_an_example_s_own_feature_wins(server: Server) -> None:
    found = built(server, {"a": 1, "own": "x"}, context={"a": 7, "shared": 1.5})
    shared = ("float_list", [1.5])
    assert found == example(a=("int64_list", [1]), own=("bytes_list", [b"x"]), shared=shared)


@pytest.mark.parametrize(
    ("value", "phrase"),
    [
        pytest.param([1, 1.5], "Unexpected element type in feature: f expecting type: int64"),
        pytest.param(["a", 1], "Unexpected element type in feature: f expecting type: bytes"),
        pytest.param(None, "Feature: f has element with unexpected JSON type: Null", id="null"),
        pytest.param([[1]], "Feature: f has element with unexpected JSON type: Array", id="nested"),
        pytest.param({"a": 1}, "Feature: f has element with unexpected JSON type: Object"),
        pytest.param(2**63, "Feature: f has uint64 element. Only int64 is supported."),
        pytest.param({"b64": "*"}, "Unable to base64 decode", id="bad base64"),
    ],
)
def test_features_that_are_refused(server: Server, value: Any, phrase: str) -> None:
    for body in ({"examples": [{"f": value}]}, {"context": {"f": value}, "examples": [{}]}):
        answer = server.post("shown:classify", body)
        assert (answer.status, phrase in answer.error) == (400, True), answer.error


@pytest.mark.parametrize("api", ["classify", "regress"])
@pytest.mark.parametrize(
    ("body", "phrase"),
    [
        pytest.param(b"", "JSON Parse error: The document is empty", id="no body"),
        pytest.param([], "Is not object", id="no object"),
        pytest.param(
            {"signature_name": 1} | ONE,
            "'signature_name' key must be a string value.",
            id="signature_name is no string",
        ),
        pytest.param(
            {"signature_name": "S"} | ONE,
            "No signature was found with the name: S",
            id="unknown signature",
        ),
        pytest.param({}, "key 'examples' is expected and was not found", id="no examples"),
        pytest.param(
            {"examples": {"x": 1}}, "Expecting 'examples' value to be an list/array", id="no list"
        ),
        pytest.param({"examples": []}, "'examples' value is an empty array", id="empty list"),
        pytest.param({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        pytest.param({"context": 1} | ONE, "Example must be JSON object but got JSON Number"),
    ],
)
def test_messages(server: Server, api: str, body: Any, phrase: str) -> None:
    answer = server.post(f"examples:{api}", body)
    assert (answer.status, phrase in answer.error) == (400, True), answer.error


@pytest.mark.parametrize(
    ("api", "signature", "phrase"),
    [
        ("classify", "regress", "Expected classification signature outputs to contain at least"),
        ("classify", "renamed", "No classification inputs found in SignatureDef"),
        ("classify", "two_inputs", "Expected one input Tensor."),
        ("regress", "serving_default", "Expected one output Tensor."),
        ("regress", "scores", "No regression outputs found in SignatureDef"),
        ("regress", "integers", "Expected output Tensor of DT_FLOAT. Got: DT_INT32"),
        ("regress", "wide", "Expected output Tensor shape to be either [batch_size] or"),
    ],
)
def test_signatures_that_do_not_fit(server: Server, api: str, signature: str, phrase: str) -> None:
    answer = server.post(f"examples:{api}", {"signature_name": signature} | ONE)
    assert (answer.status, phrase in answer.error) == (400, True), answer.error


def test_a_model_that_takes_no_examples(server: Server) -> None:
    assert server.post("half:classify", ONE).status == 400


def test_a_feature_that_the_model_misses(server: Server) -> None:
    answer = server.post("examples:classify", {"examples": [{"y": 1.5}]})
    assert (answer.status, "Feature: x" in answer.error) == (400, True), answer.error


def test_the_check_of_method_names(switched: Server) -> None:
    answer = switched.post("sleepy:classify", ONE)
    assert (answer.status, answer.error) == (
        400,
        "Expected classification signature method_name to be tensorflow/serving/classify."
        " Was: tensorflow/serving/predict",
    )
