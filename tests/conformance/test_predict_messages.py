"""§5: what predict says of a request that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.server import Server

pytestmark = pytest.mark.tf

TEXTS = [
    pytest.param("half", b"", "JSON Parse error: The document is empty", id="no body"),
    pytest.param("half", b"?", "JSON Parse error: Invalid value. at offset: 0", id="bad JSON"),
    pytest.param("half", b'{"a":?}', "JSON Parse error: Invalid value. at offset: 5", id="offset"),
    pytest.param("half", b"[1]", "JSON Value: [1] Type: Array Is not object", id="a list"),
    pytest.param("half", b'"x"', 'JSON Value: "x" Type: String Is not object', id="a text"),
]
MESSAGES: list[Any] = [
    pytest.param(
        "half",
        {"signature_name": 1, "instances": [1]},
        "not formatted correctly. 'signature_name' key must be a string value.",
        id="signature_name is no string",
    ),
    pytest.param(
        "half",
        {"signature_name": "S", "instances": [1]},
        'Serving signature name: "S" not found in signature def',
        id="unknown signature",
    ),
    pytest.param("half", {"a": 1}, "Missing 'inputs' or 'instances' key", id="neither key"),
    pytest.param(
        "half",
        {"inputs": [1], "instances": [1]},
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist",
        id="both keys",
    ),
    pytest.param(
        "half",
        {"instances": {"x": 1}},
        "Expecting 'instances' to be an list/array",
        id="instances is no list",
    ),
    pytest.param("half", {"instances": []}, "No values in 'instances' array", id="empty"),
    pytest.param(
        "half",
        {"instances": ["one"]},
        'JSON Value: "one" Type: String is not of expected type: float',
        id="wrong type",
    ),
    pytest.param(
        "half",
        {"instances": [[1, 2], [3]]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting tensor size: 2 but got: 1",
        id="rows of other sizes",
    ),
    pytest.param(
        "half",
        {"instances": [{"x": [[1, 2]]}, {"x": [[1], [2]]}]},
        "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT:"
        " Expecting shape [1,2] but got: [2,1]",
        id="rows of other shapes",
    ),
    pytest.param(
        "half",
        {"instances": [{"z": 1}]},
        "JSON object: does not have named input: z",
        id="unknown name",
    ),
    pytest.param(
        "several", {"instances": [{"a": 1}]}, "keys must be equal to: a,b,s", id="missing name"
    ),
    pytest.param(
        "half",
        {"instances": [{"x": 1}, 2]},
        "Expecting object but got list at item 1 of input list",
        id="a value among objects",
    ),
    pytest.param(
        "half",
        {"instances": [2, {"x": 1}]},
        "Expecting value/list but got object at item 1 of input list",
        id="an object among values",
    ),
    pytest.param(
        "several",
        {"instances": [1]},
        "instances is a plain list, but expecting list of objects as multiple input tensors"
        " required",
        id="plain list for several inputs",
    ),
    pytest.param(
        "several",
        {"inputs": [1]},
        "inputs is a plain value/list, but expecting an object as multiple input tensors required",
        id="plain value for several inputs",
    ),
    pytest.param(
        "several",
        {"inputs": {"a": [1]}},
        "Missing named input: b in 'inputs' object.",
        id="missing column",
    ),
    pytest.param("strings", {"inputs": {"b64": "*"}}, "Unable to base64 decode", id="bad base64"),
    pytest.param(
        "scalar",
        {"instances": [1]},
        "Tensor name: mean has no shape information",
        id="output without batch dimension",
    ),
    pytest.param(
        "shapes",
        {"instances": [1, 2]},
        "Tensor name: sum has inconsistent batch size: 1 expecting: 2",
        id="uneven outputs",
    ),
    *TEXTS,
]


@pytest.mark.parametrize(("model", "body", "phrase"), MESSAGES)
def test_predict_messages(server: Server, model: str, body: Any, phrase: str) -> None:
    answer = server.predict(model, body)
    assert (answer.status, phrase in answer.error) == (400, True), answer.error
    assert answer.headers["Content-Type"] == "application/json"


def test_long_values_are_cut_at_256_bytes(server: Server) -> None:
    error = server.predict("half", {"instances": ["x" * 1000]}).error
    assert f'JSON Value: "{"x" * 255}... Type: String' in error
