"""ModelInferRequest messages: what they say, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, ServingError
from gateway.grpc.oip_requests import infer_request, parse_infer
from gateway.oip.binary import tensor_bytes
from gateway.oip.datatypes import DATATYPES
from gateway.oip.messages import MAX_TENSORS, InferInput, SharedMemoryRange
from gateway.protos.triton.grpc_service_pb2 import ModelInferRequest
from tests.oip_grpc.tensors import Array, message_of, read, tensors


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(ServingError) as caught:
        act()
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def outcome(wire: bytes) -> Code | None:
    """The code of the refusal; None for a request that was read. Anything else is raised."""
    try:
        infer_request(parse_infer(wire))
    except ServingError as error:
        return error.code
    return None


def test_tritons_client_is_understood() -> None:
    given = triton.InferInput("x", [2], "BYTES")
    given.set_data_from_numpy(np.array([b"ab", b""], object))
    shared = triton.InferInput("s", [4], "FP32")
    shared.set_shared_memory("region", 16, offset=8)
    wanted = triton.InferRequestedOutput("y", class_count=3)
    # As the client itself does it; it has no public way to show a request.
    message = triton._client._get_inference_request(
        model_name="m",
        inputs=[shared, given],
        model_version="7",
        request_id="mine",
        outputs=[wanted],
        sequence_id=0,
        sequence_start=False,
        sequence_end=False,
        priority=2,
        timeout=1000,
        parameters={"flag": True, "share": 0.5, "text": "ä"},
    )

    request = infer_request(parse_infer(message.SerializeToString()))

    assert (request.model_name, request.model_version, request.id) == ("m", "7", "mine")
    assert request.parameters == {
        "priority": 2,
        "timeout": 1000,
        "flag": True,
        "share": 0.5,
        "text": "ä",
    }
    memory, plain = request.inputs
    assert memory == InferInput("s", "FP32", (4,), None, SharedMemoryRange("region", 16, 8))
    assert plain.array is not None
    assert plain.array.tolist() == [b"ab", b""]
    assert [(output.name, output.classes) for output in request.outputs] == [("y", 3)]


def test_the_wish_for_an_empty_last_response_is_no_parameter_of_the_model() -> None:
    message = message_of("FP32", [1], fp32_contents=[1])
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    assert read(message).parameters == {}

    message.parameters["triton_enable_empty_final_response"].string_param = "yes"
    assert "must be a bool_param" in refusal(lambda: read(message))


# What is wrong whatever the model is; each message names the tensor.
REFUSED: dict[str, tuple[ModelInferRequest, str]] = {
    "datatype": (message_of("FP31", [1], raw=b""), "input 'x' has the unknown datatype"),
    "no datatype": (message_of("", [1], raw=b""), "input 'x' has the unknown datatype"),
    "negative": (message_of("FP32", [-1], raw=b""), "input 'x' has a negative dimension: [-1]"),
    "overflow": (
        message_of("FP32", [2**32, 2**32], raw=b""),
        "input 'x' has the shape [4294967296,4294967296], which is too large",
    ),
    "hidden overflow": (
        message_of("FP32", [0, 2**62, 2**62], raw=b""),
        "input 'x' has the shape",
    ),
    "too large to be empty": (
        message_of("INT64", [0, 2**62], int64_contents=[]),
        "input 'x' has a shape that is too large",
    ),
    "rank": (message_of("FP32", [1] * 65, raw=b""), "input 'x' has 65 dimensions"),
    "huge": (
        message_of("FP32", [10**15], raw=b"1234"),
        "input byte size mismatch for input 'x'",
    ),
    "huge typed": (
        message_of("FP32", [10**15], fp32_contents=[1]),
        "input 'x' has 1 values in fp32_contents, but its shape [1000000000000000] takes",
    ),
    "huge strings": (message_of("BYTES", [10**15], raw=b"\0\0\0\0"), "input 'x': "),
    "bytes left": (message_of("FP32", [1], raw=b"12345"), "takes 4 bytes, got 5"),
    "bytes missing": (message_of("FP64", [1], raw=b"1234567"), "takes 8 bytes, got 7"),
    "string past the end": (
        message_of("BYTES", [1], raw=b"\x05\0\0\0abc"),
        "input 'x': BYTES element 0 takes 5 bytes, but 3 are left",
    ),
    "no bool": (message_of("BOOL", [1], raw=b"\x02"), "input 'x' must be BOOL"),
    "values missing": (
        message_of("INT64", [3], int64_contents=[1, 2]),
        "input 'x' has 2 values in int64_contents, but its shape [3] takes 3",
    ),
    "values left": (message_of("BYTES", [], bytes_contents=[b"", b""]), "takes 1"),
    "other field": (
        message_of("INT64", [1], int_contents=[1]),
        "input 'x': INT64 values must be in int64_contents, got values in int_contents",
    ),
    "half typed": (
        message_of("FP16", [1], fp32_contents=[1]),
        "input 'x': FP16 values must be in raw_input_contents",
    ),
    "brain float typed": (message_of("BF16", [0]), "BF16 values must be in raw_input_contents"),
    "out of range": (
        message_of("INT8", [2], int_contents=[127, 128]),
        "input 'x' has the value 128, which is no INT8",
    ),
    "out of unsigned range": (
        message_of("UINT16", [1], uint_contents=[65536]),
        "input 'x' has the value 65536, which is no UINT16",
    ),
    "typed and raw": (
        message_of("FP32", [1], raw=b"1234", fp32_contents=[1]),
        "input 'x': contents must not be given along with raw_input_contents",
    ),
}


@pytest.mark.parametrize(("message", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused(message: ModelInferRequest, expected: str) -> None:
    assert expected in refusal(lambda: read(message))


def test_raw_contents_that_belong_to_no_input_are_refused() -> None:
    message = message_of("FP32", [1], raw=b"1234")
    message.raw_input_contents.append(b"5678")

    assert "has 2 tensors, but 1 inputs need one" in refusal(lambda: read(message))


def test_raw_contents_that_are_missing_are_refused() -> None:
    message = message_of("FP32", [1], raw=b"1234")
    message.inputs.add(name="z", datatype="FP32", shape=[1])

    assert "input 'z' has no data" in refusal(lambda: read(message))


def test_shared_memory_and_contents_do_not_mix() -> None:
    message = message_of("FP32", [1], fp32_contents=[1])
    parameters = message.inputs[0].parameters
    parameters["shared_memory_region"].string_param = "r"
    parameters["shared_memory_byte_size"].int64_param = 4

    assert "input 'x' is in shared memory" in refusal(lambda: read(message))


def test_a_parameter_without_a_value_is_refused() -> None:
    message = message_of("FP32", [1], raw=b"1234")
    message.inputs[0].parameters["odd"].SetInParent()

    assert "input 'x': the parameter 'odd' has no value" in refusal(lambda: read(message))


def test_a_long_name_is_cut_in_messages() -> None:
    message = message_of("FP32", [2], raw=b"1234")
    message.inputs[0].name = "x" * 10**6

    assert len(refusal(lambda: read(message))) < 1000


def test_too_many_inputs_are_refused() -> None:
    message = ModelInferRequest(inputs=[{}] * (MAX_TENSORS + 1))

    assert "1025 inputs" in refusal(lambda: read(message))


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_in_our_words(data: bytes) -> None:
    assert outcome(data) in (None, Code.INVALID_ARGUMENT)


@given(tensors(), st.data())
def test_damaged_requests_are_refused_in_our_words(
    tensor: tuple[str, Array], data: st.DataObject
) -> None:
    datatype, array = tensor
    raw = tensor_bytes(array, DATATYPES[datatype])
    wire = bytearray(message_of(datatype, array.shape, raw=raw).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))

    assert outcome(bytes(wire)) in (None, Code.INVALID_ARGUMENT)
