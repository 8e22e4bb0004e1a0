"""Bodies of REST infer that are no requests."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, ServingError
from gateway.oip.datatypes import DATATYPES
from gateway.oip.messages import MAX_TENSORS
from gateway.oip.request_json import parse_request
from tests.oip.models import HEAD_LENGTH, attempt, binary_request

ONE = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}


def with_input(**changes: Any) -> dict[str, Any]:
    """A request whose one input has other members; None leaves one out."""
    members = {key: value for key, value in {**ONE, **changes}.items() if value is not None}
    return {"inputs": [members]}


def refusal(body: Any, head_bytes: int | None = None) -> str:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ServingError) as caught:
        parse_request(data, "m", "", head_bytes)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


LARGE_AND_WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"data": [1] * 5000 + ["a"]}, "is not of expected type: float"),
    "fraction": ({"datatype": "INT32", "data": [1] * 5000 + [1.5]}, "not of expected type: int32"),
    "range": ({"datatype": "INT8", "data": [1] * 5000 + [200]}, "200 is no INT8"),
    "ragged": ({"data": [[1] * 5000, [1]]}, "Encountered list at unexpected size"),
    "number": ({"data": [1] * 5000}, "data has 5000 values"),
    "shape": ({"shape": [1] * 3000}, "3000 dimensions"),
    "datatype": ({"datatype": [1] * 3000}, "datatype must be a string"),
    "bytes": ({"datatype": "BYTES", "data": [1] * 5000}, "is not of expected type: string"),
}


@pytest.mark.parametrize(("changes", "message"), LARGE_AND_WRONG.values(), ids=LARGE_AND_WRONG)
def test_large_bodies_have_the_same_mistakes(changes: dict[str, Any], message: str) -> None:
    assert message in refusal(with_input(**changes))


REFUSALS: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "JSON Parse error"),
    "nothing": (b"", "The document is empty"),
    "a list": ([], "Is not object"),
    "no inputs": ({}, "Unable to parse 'inputs'"),
    "inputs are text": ({"inputs": "x"}, "Unable to parse 'inputs': expected an array"),
    "an input is text": ({"inputs": ["x"]}, 'Unable to parse \'inputs\': "x" is no object'),
    "outputs are an object": ({"inputs": [], "outputs": {}}, "Unable to parse 'outputs'"),
    "an output without a name": ({"inputs": [], "outputs": [{}]}, "name must be a string"),
    "id is a number": ({"id": 1, "inputs": []}, "id must be a string"),
    "id is long": ({"id": "a" * 1025, "inputs": []}, "id must be a string of at most 1024"),
    "no name": (with_input(name=None), "name must be a string, got null"),
    "name is a number": (with_input(name=5), "name must be a string, got 5"),
    "no datatype": (with_input(datatype=None), "input 'x': datatype must be a string"),
    "unknown datatype": (with_input(datatype="FP8"), "input 'x' has the unknown datatype \"FP8\""),
    "no shape": (with_input(shape=None), "input 'x': shape must be an array"),
    "negative dimension": (with_input(shape=[-1]), "input 'x' has a negative dimension: [-1]"),
    "product overflow": (with_input(shape=[2**40, 2**40]), "input 'x' has the shape"),
    "no data": (with_input(data=None), "input 'x' must have its values in one place"),
    "two places": (with_input(parameters={"binary_data_size": 4}), "values in one place"),
    "parameters are a list": (with_input(parameters=[1]), "parameters must be an object"),
    "parameter is a list": ({"inputs": [], "parameters": {"a": []}}, 'parameter "a" must be'),
    "parameter is null": ({"inputs": [], "parameters": {"a": None}}, "got Null"),
    "size is text": (with_input(data=None, parameters={"binary_data_size": "4"}),
                     "binary_data_size must be a number of bytes"),
    "size is true": (with_input(data=None, parameters={"binary_data_size": True}),
                     "binary_data_size must be a number of bytes"),
    "size is negative": (with_input(data=None, parameters={"binary_data_size": -4}),
                         "binary_data_size must be a number of bytes"),
    "size without bytes": (with_input(data=None, parameters={"binary_data_size": 4}),
                           "binary_data_size is 4, but 0 bytes of binary data are left"),
    "region is a number": (with_input(data=None, parameters={"shared_memory_region": 1}),
                           "shared_memory_region must be a region's name"),
    "region without size": (with_input(data=None, parameters={"shared_memory_region": "r"}),
                            "shared_memory_byte_size is missing"),
    "size without region": (with_input(data=None, parameters={"shared_memory_byte_size": 1}),
                            "shared_memory_region is missing"),
    "offset is negative": (with_input(data=None, parameters={"shared_memory_region": "r",
                           "shared_memory_byte_size": 1, "shared_memory_offset": -1}),
                           "shared_memory_offset must be a number of bytes"),
    "classes are text": ({"inputs": [], "outputs": [{"name": "y", "parameters":
                         {"classification": "3"}}]}, "output 'y': classification must be"),
    "binary_data is text": ({"inputs": [], "outputs": [{"name": "y", "parameters":
                            {"binary_data": "yes"}}]}, "output 'y': binary_data must be"),
    "classes in memory": ({"inputs": [], "outputs": [{"name": "y", "parameters":
                          {"classification": 1, "shared_memory_region": "r",
                           "shared_memory_byte_size": 1}}]}, "cannot be put into shared memory"),
    "many outputs": ({"inputs": [], "outputs": [{"name": "y"}] * (MAX_TENSORS + 1)},
                     "1025 outputs in one request; at most 1024 can be"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(body: Any, message: str) -> None:
    assert message in refusal(body)


def test_deep_json() -> None:
    for depth in (100, 5_000, 200_000):
        deep = b"[" * depth + b"]" * depth
        assert refusal(b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":%b}]}' % deep)


def test_a_million_inputs_are_refused_before_they_are_parsed() -> None:
    one = json.dumps(ONE).encode()
    body = b'{"inputs":[' + b",".join([one] * 1_000_000) + b"]}"
    started = time.process_time()
    assert "more than 1024 inputs" in refusal(body)
    assert time.process_time() - started < 1


def test_names_in_strings_are_no_inputs() -> None:
    data = ['"name":'] * 5000
    body = json.dumps(with_input(datatype="BYTES", shape=[5000], data=data)).encode()
    array = parse_request(body, "m").inputs[0].array
    assert array is not None
    assert set(array) == {b'"name":'}


HEADS = {
    "none of it": (b"", 0, "Inference-Header-Content-Length is 0, but the body has 0 bytes"),
    "longer than the body": (b"{}", 3, "is 3, but the body has 2 bytes"),
    "cut": (json.dumps({"inputs": []}).encode(), 5, "JSON Parse error"),
    "bytes left": (json.dumps({"inputs": []}).encode() + b"abc", 14, "3 bytes of binary data are"),
}


@pytest.mark.parametrize(("body", "head_bytes", "message"), HEADS.values(), ids=HEADS)
def test_head_lengths_that_are_wrong(body: bytes, head_bytes: int, message: str) -> None:
    assert message in refusal(body, head_bytes)


def test_binary_tensors_must_be_there() -> None:
    array = np.zeros(4, np.float32)
    head = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [4]}]}
    body, headers = binary_request(head, (array, "FP32"))
    length = int(headers[HEAD_LENGTH])
    assert "binary_data_size is 16, but 15 bytes of" in refusal(body[:-1], length)
    assert "1 bytes of binary data are left over" in refusal(body + b"!", length)


@given(st.binary(max_size=300), st.none() | st.integers(0, 300))
def test_random_bodies_raise_nothing_but_our_error(body: bytes, head_bytes: int | None) -> None:
    request = attempt(lambda: parse_request(body, "m", "", head_bytes))
    assert isinstance(request, ServingError)
    assert request.code is Code.INVALID_ARGUMENT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(list(DATATYPES)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "shape", "datatype", "data", "parameters", "binary_data_size"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_random_requests_raise_nothing_but_our_error(
    inputs: Any, outputs: Any, parameters: Any
) -> None:
    body = {"inputs": inputs, "outputs": outputs, "parameters": parameters}
    request = attempt(lambda: parse_request(json.dumps(body).encode(), "m"))
    if isinstance(request, ServingError):
        assert request.code is Code.INVALID_ARGUMENT
    else:
        assert len(request.inputs) == len(inputs)
