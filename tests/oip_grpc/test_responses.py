"""ModelInferResponse messages as Triton's client reads them."""

from __future__ import annotations

import numpy as np
import pytest
import tritonclient.grpc as triton
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from gateway.errors import Code, ServingError
from gateway.grpc import oip_responses
from gateway.grpc.oip_responses import encode_error, encode_response, stream_response
from gateway.oip.messages import InferOutput, InferResponse
from tests.oip_grpc.tensors import Array, same, tensors


def response(*outputs: InferOutput) -> InferResponse:
    return InferResponse("m", "3", "mine", list(outputs))


@given(st.lists(tensors(), max_size=3))
def test_outputs_come_back(values: list[tuple[str, Array]]) -> None:
    outputs = [
        InferOutput(f"y{index}", datatype, array.shape, array)
        for index, (datatype, array) in enumerate(values)
    ]

    wire = encode_response(response(*outputs))

    result = triton.InferResult(service_pb2.ModelInferResponse.FromString(wire))
    head = result.get_response()
    assert (head.model_name, head.model_version, head.id) == ("m", "3", "mine")
    assert [output.datatype for output in head.outputs] == [datatype for datatype, _ in values]
    for output in outputs:
        assert output.array is not None
        assert same(result.as_numpy(output.name), output.array)


def test_an_output_in_shared_memory_has_no_bytes() -> None:
    where = {"shared_memory_region": "r", "shared_memory_byte_size": 4}
    shared = InferOutput("a", "FP32", (1,), None, dict(where))
    plain = InferOutput("b", "FP32", (1,), np.ones(1, np.float32))

    message = service_pb2.ModelInferResponse.FromString(encode_response(response(shared, plain)))

    assert list(message.raw_output_contents) == [b"", np.ones(1, np.float32).tobytes()]
    parameters = message.outputs[0].parameters
    assert parameters["shared_memory_region"].string_param == "r"
    assert parameters["shared_memory_byte_size"].int64_param == 4


def test_parameters_keep_their_kind() -> None:
    answer = response()
    answer.parameters.update({"flag": False, "count": -1, "share": 0.5, "text": "ä"})

    wire = encode_response(answer, {"triton_final_response": True})

    parameters = service_pb2.ModelInferResponse.FromString(wire).parameters
    kinds = {key: value.WhichOneof("parameter_choice") for key, value in parameters.items()}
    assert kinds == {
        "flag": "bool_param",
        "count": "int64_param",
        "share": "double_param",
        "text": "string_param",
        "triton_final_response": "bool_param",
    }
    assert parameters["count"].int64_param == -1
    assert parameters["triton_final_response"].bool_param


def test_a_stream_response_holds_the_answer() -> None:
    wire = encode_response(response(InferOutput("y", "BOOL", (300,), np.ones(300, bool))))

    message = service_pb2.ModelStreamInferResponse.FromString(stream_response(wire))

    assert message.error_message == ""
    assert message.infer_response == service_pb2.ModelInferResponse.FromString(wire)


def test_an_error_on_a_stream_says_whose_it_is() -> None:
    wire = encode_error("no such thing", "mine", {"triton_final_response": True})

    message = service_pb2.ModelStreamInferResponse.FromString(wire)

    assert message.error_message == "no such thing"
    assert message.infer_response.id == "mine"
    assert message.infer_response.parameters["triton_final_response"].bool_param


def test_an_answer_that_no_message_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oip_responses, "MAX_MESSAGE_BYTES", 100)

    with pytest.raises(ServingError, match="the answer takes") as caught:
        encode_response(response(InferOutput("y", "BOOL", (100,), np.ones(100, bool))))
    assert caught.value.code is Code.RESOURCE_EXHAUSTED
