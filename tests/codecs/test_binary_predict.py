"""Predict with raw bytes on either side, below HTTP: headers in, headers and body out."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from codec_helpers import signature, specs
from multidict import CIMultiDict

from gateway.errors import ServingError
from gateway.http.binary import (
    accepts_binary,
    inference_response,
    is_binary,
    with_binary,
)
from gateway.http.predict import PredictApi

OCTETS = "application/octet-stream"
API = PredictApi()
SIGNATURE = signature(specs(x="float"), specs(y="float", z="int32"))
OUTPUTS = {"z": np.array([3], np.int32), "y": np.array([[0.5, 1.5]], np.float32)}


def queue(of: Any = SIGNATURE) -> Any:
    return SimpleNamespace(signature=of, optional_inputs=frozenset())


def headers(**named: str) -> CIMultiDict[str]:
    return CIMultiDict({name.replace("_", "-"): value for name, value in named.items()})


BINARY = {"content_type": OCTETS, "x_tensor_dtype": "float32", "x_tensor_shape": "1,2"}
FLOATS = np.array([[1, 2]], np.float32).tobytes()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(OCTETS, True), (OCTETS.upper() + "; x=y", True), ("application/json", False), ("", False)],
)
def test_binary_bodies(value: str, expected: bool) -> None:
    assert is_binary(headers(**{**BINARY, "content_type": value})) is expected
    assert not is_binary(headers(content_type=value))  # nothing describes a tensor


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (OCTETS, True),
        (f"application/json;q=0.5, {OCTETS.title()};q=0.9", True),
        (f"{OCTETS};q=0", False),
        (f"{OCTETS}; Q=0.00 ;x=y", False),
        ("*/*", False),
        ("application/json", False),
        ("", False),
    ],
)
def test_binary_answers(value: str, expected: bool) -> None:
    assert accepts_binary(headers(accept=value)) is expected
    assert accepts_binary(headers()) is False


def test_json_stays_as_it_was() -> None:
    assert with_binary(API, headers(content_type="application/json", accept="*/*")) is API
    response = inference_response(API, b"{}")
    assert (response.content_type, response.body) == ("application/json", b"{}")


def test_binary_in_and_out() -> None:
    api = with_binary(API, headers(**BINARY, accept=OCTETS, x_signature_name="other"))
    body = api.parse(FLOATS)
    assert body.signature_name == "other"
    inputs = api.decode(body, queue())
    assert np.asarray(inputs["x"]).tolist() == [[1, 2]]
    response = inference_response(api, api.encode(body, SIGNATURE, inputs, OUTPUTS))
    assert response.body == OUTPUTS["y"].tobytes() + OUTPUTS["z"].tobytes()
    assert response.content_type == OCTETS
    assert response.headers["X-Tensor-Name"] == "y,z"
    assert response.headers["X-Tensor-Dtype"] == "float32,int32"
    assert response.headers["X-Tensor-Shape"] == "1,2;1"


def test_binary_in_only() -> None:
    api = with_binary(API, headers(**BINARY))
    body = api.parse(FLOATS)
    assert body.signature_name == "serving_default"
    answer = api.encode(body, SIGNATURE, api.decode(body, queue()), OUTPUTS)
    assert answer == b'{"outputs":{"y":[[0.5,1.5]],"z":[3]}}'
    assert inference_response(api, answer).content_type == "application/json"


def test_binary_out_only() -> None:
    api = with_binary(API, headers(content_type="application/json", accept=OCTETS))
    body = api.parse(b'{"instances":[[1,2]]}')
    inputs = api.decode(body, queue())
    answer = api.encode(body, SIGNATURE, inputs, OUTPUTS)
    assert inference_response(api, answer).headers["X-Tensor-Shape"] == "1,2;1"


@pytest.mark.parametrize("missing", ["x_tensor_dtype", "x_tensor_shape"])
def test_headers_that_a_binary_body_needs(missing: str) -> None:
    given = {name: value for name, value in BINARY.items() if name != missing}
    with pytest.raises(ServingError, match="(?i)needs the header " + missing.replace("_", "-")):
        with_binary(API, headers(**given)).parse(FLOATS)


def test_an_answer_without_binary_form_is_refused_before_the_run() -> None:
    api = with_binary(API, headers(accept=OCTETS))
    body = api.parse(b'{"instances":[[1,2]]}')
    with pytest.raises(ServingError, match='output "y" is strings'):
        api.decode(body, queue(signature(specs(x="float"), specs(y="string"))))


@pytest.mark.parametrize("checks", [False, True])
def test_signatures_of_no_known_call(checks: bool) -> None:
    """Refused where JSON would be."""
    other = replace(SIGNATURE, method_name="my/own")
    api = with_binary(API, headers(**BINARY), check_method_names=checks)
    body = api.parse(FLOATS)
    with pytest.raises(ServingError) if checks else nullcontext():
        assert np.asarray(api.decode(body, queue(other))["x"]).size == 2


def test_unknown_signatures_are_refused_as_with_json() -> None:
    api = with_binary(API, headers(**BINARY))
    assert api.unknown_signature("s").message == API.unknown_signature("s").message
