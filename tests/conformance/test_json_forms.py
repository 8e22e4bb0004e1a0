"""§4, row form and column form, and which graphs answer them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.server import Server

pytestmark = pytest.mark.tf

SEVERAL = {"a": 1, "b": [2, 3], "s": "x"}
SEVERAL_ROW = {"doubled": [4, 6], "tag": "<x>", "total": 6.0}


@pytest.mark.parametrize(
    ("model", "body", "answer"),
    [
        pytest.param("half", {"instances": [1, 5]}, [2.5, 4.5], id="one input: plain values"),
        pytest.param("half", {"instances": [{"x": 1}, {"x": 5}]}, [2.5, 4.5], id="or objects"),
        pytest.param("several", {"instances": [SEVERAL] * 2}, [SEVERAL_ROW] * 2, id="several"),
        pytest.param(
            "column", {"instances": [[[1]], [[5]]]}, [[[2.5]], [[4.5]]], id="[rows] + element shape"
        ),
    ],
)
def test_row_form(server: Server, model: str, body: Any, answer: Any) -> None:
    found = server.predict(model, body)
    assert (found.status, found.json) == (200, {"predictions": answer})


@pytest.mark.parametrize(
    ("model", "body", "answer"),
    [
        pytest.param("half", {"inputs": [1, 5]}, [2.5, 4.5], id="one input: bare list"),
        pytest.param("half", {"inputs": {"x": [1, 5]}}, [2.5, 4.5], id="or object"),
        pytest.param("dtypes", {"signature_name": "float32", "inputs": 7}, 7.0, id="bare value"),
        pytest.param(
            "several",
            {"inputs": {alias: [value] for alias, value in SEVERAL.items()}},
            {"doubled": [[4, 6]], "tag": ["<x>"], "total": [6.0]},
            id="several: object",
        ),
        pytest.param(
            "shapes",
            {"signature_name": "scaled", "inputs": {"x": [1, 2], "w": [1, 2, 3]}},
            [6.0, 12.0],
            id="0th dimensions may differ",
        ),
        pytest.param("shapes", {"signature_name": "constant", "inputs": {}}, [42], id="no inputs"),
    ],
)
def test_column_form(server: Server, model: str, body: Any, answer: Any) -> None:
    found = server.predict(model, body)
    assert (found.status, found.json) == (200, {"outputs": answer})


def test_extra_names_in_column_form_are_refused(server: Server) -> None:
    """TF Serving ignores them."""
    answer = server.predict("half", {"inputs": {"x": [1], "y": [2]}})
    assert (answer.status, 'Unknown named inputs: ["y"]' in answer.error) == (400, True)


def test_signature_defaults_are_no_matter_of_rest(server: Server) -> None:
    answer = server.predict("defaults", {"inputs": {"x": [1]}})
    assert (answer.status, "Missing named input: bias" in answer.error) == (400, True)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"instances": [1, 2]}, {"predictions": [2.5, 3.0]}),
        ({"signature_name": "lookup", "instances": ["two", "x"]}, {"predictions": [2, -1]}),
        ({"signature_name": "increment", "inputs": {}}, {"outputs": [1.0, 1.0]}),
    ],
)
def test_a_tf1_graph(server: Server, body: Any, answer: Any) -> None:
    assert server.predict("tf1", body).json == answer


def test_a_tf1_graph_with_an_asset(server: Server) -> None:
    answer = server.predict("assets", {"instances": ["two", "zero", "x"]})
    assert answer.json == {"predictions": [2, 0, -1]}
