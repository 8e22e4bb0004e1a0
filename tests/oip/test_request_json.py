"""Bodies of REST infer to requests, and answers to bodies."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs import json_blocks
from gateway.oip.datatypes import DATATYPES
from gateway.oip.messages import InferOutput, InferResponse, RequestedOutput, SharedMemoryRange
from gateway.oip.request_json import parse_request
from gateway.oip.response_json import encode_response
from tests.oip.models import HEAD_LENGTH, SAMPLES, binary_request, json_input

ONE = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_datatype(name: str) -> None:
    """JSON and binary, at any offset."""
    array = SAMPLES[name]
    head = {
        "id": "a",
        "inputs": [
            {"name": "raw", "datatype": name, "shape": list(array.shape)},
            json_input("json", array, name),
            {"name": "raw again", "datatype": name, "shape": list(array.shape)},
        ],
    }
    body, headers = binary_request(head, (array, name), (array, name))
    request = parse_request(body, "m", "3", int(headers[HEAD_LENGTH]))
    assert (request.id, request.model_name, request.model_version) == ("a", "m", "3")
    for tensor in request.inputs:
        assert tensor.array is not None
        assert (tensor.datatype, tensor.shape) == (name, (1, 3))
        assert tensor.array.dtype == DATATYPES[name].dtype
        assert tensor.array.tolist() == array.tolist()


def test_everything_a_request_may_say() -> None:
    request = parse_request(
        json.dumps(
            {
                "id": "7",
                "parameters": {"priority": 2, "mine": "a", "b": 1.5, "c": True},
                "inputs": [
                    ONE,
                    {
                        "name": "s",
                        "datatype": "BYTES",
                        "shape": [2],
                        "parameters": {
                            "shared_memory_region": "r",
                            "shared_memory_byte_size": 9,
                            "shared_memory_offset": 4,
                        },
                    },
                ],
                "outputs": [
                    {"name": "p"},
                    {"name": "q", "parameters": {"binary_data": True, "classification": 3}},
                ],
                "unknown": None,
            }
        ).encode(),
        "m",
    )
    assert request.parameters == {"priority": 2, "mine": "a", "b": 1.5, "c": True}
    assert request.inputs[1].shared_memory == SharedMemoryRange("r", 9, 4)
    assert request.inputs[1].array is None
    assert request.outputs == [RequestedOutput("p"), RequestedOutput("q", True, 3)]


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("name", ["FP32", "INT8", "FP16", "INT64"])
def test_large_lists_are_read_as_blocks(
    monkeypatch: pytest.MonkeyPatch, name: str, nested: bool
) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr("gateway.oip.request_json.parse_object", parsed.append)
    array = (np.arange(6000).reshape(10, 600) % 100).astype(DATATYPES[name].dtype)
    one = {"name": "x", "datatype": name, "shape": [10, 600]}
    one["data"] = (array if nested else array.reshape(-1)).tolist()
    body = json.dumps({"inputs": [one, {**one, "name": "y"}]}).encode()
    assert len(body) >= json_blocks.LEAST_BODY_BYTES
    request = parse_request(body, "m")
    assert not parsed
    for tensor in request.inputs:
        assert tensor.array is not None
        np.testing.assert_array_equal(tensor.array, array)


@given(st.lists(st.tuples(st.sampled_from(sorted(SAMPLES)), st.booleans() | st.none()), max_size=5))
def test_answers_can_be_read_as_requests(choices: list[tuple[str, bool | None]]) -> None:
    """Outputs have the form of inputs."""
    outputs = [
        InferOutput(str(n), name, (1, 3), SAMPLES[name], binary=binary)
        for n, (name, binary) in enumerate(choices)
    ]
    body, head_bytes = encode_response(InferResponse("m", "1", "id", outputs), binary=True)
    assert (head_bytes is None) == all(binary is False for _, binary in choices)
    head, raw = body[:head_bytes], b"" if head_bytes is None else body[head_bytes:]
    document = json.loads(head)
    assert (document["model_name"], document["model_version"], document["id"]) == ("m", "1", "id")
    head = head.replace(b'"outputs":', b'"inputs":')
    request = parse_request(head + raw, "m", "", len(head))
    for tensor, output in zip(request.inputs, outputs, strict=True):
        assert tensor.array is not None
        assert output.array is not None
        assert tensor.array.tolist() == output.array.tolist()


def test_an_answer_without_an_id() -> None:
    body, _ = encode_response(InferResponse("m", "1", "", []))
    assert json.loads(body) == {"model_name": "m", "model_version": "1", "outputs": []}
