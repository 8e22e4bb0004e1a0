"""Answers of the protocol's core as ModelInferResponse messages, on the wire."""

from __future__ import annotations

from typing import Any

from gateway.codecs.varints import varint
from gateway.errors import Code, ServingError
from gateway.oip.binary import tensor_bytes
from gateway.oip.datatypes import DATATYPES
from gateway.oip.messages import InferResponse, Parameters
from gateway.protos.triton.grpc_service_pb2 import ModelInferResponse, ModelStreamInferResponse

MAX_MESSAGE_BYTES = 2**31 - 1
"""Protocol buffers' own limit."""

_NONE: Parameters = {}
_LENGTH_DELIMITED = 2
_RAW_OUTPUT = varint(ModelInferResponse.RAW_OUTPUT_CONTENTS_FIELD_NUMBER << 3 | _LENGTH_DELIMITED)
_INFER_RESPONSE = varint(
    ModelStreamInferResponse.INFER_RESPONSE_FIELD_NUMBER << 3 | _LENGTH_DELIMITED
)


def encode_response(response: InferResponse, parameters: Parameters = _NONE) -> bytes:
    """A ModelInferResponse with all values raw, as Triton answers; empty bytes stand for an output
    in shared memory. ``parameters`` are added to the response's own.

    Raises ServingError (RESOURCE_EXHAUSTED) for what no message can hold.
    """
    message = ModelInferResponse(
        model_name=response.model_name, model_version=response.model_version, id=response.id
    )
    _set(message.parameters, response.parameters)
    _set(message.parameters, parameters)
    # The tensors' bytes are put behind the message, where their field belongs, without copies.
    pieces = [b""]
    for output in response.outputs:
        tensor = message.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
        _set(tensor.parameters, output.parameters)
        array = output.array
        raw = b"" if array is None else tensor_bytes(array, DATATYPES[output.datatype])
        pieces += (_RAW_OUTPUT, varint(len(raw)), raw)
    pieces[0] = message.SerializeToString()
    return _joined(pieces)


def stream_response(infer_response: bytes) -> bytes:
    """A ModelStreamInferResponse with a serialized ModelInferResponse."""
    return _joined([_INFER_RESPONSE, varint(len(infer_response)), infer_response])


def encode_error(message: str, request_id: str, parameters: Parameters) -> bytes:
    """A ModelStreamInferResponse that says what is wrong with the request ``request_id``."""
    response = ModelStreamInferResponse(error_message=message)
    response.infer_response.id = request_id
    _set(response.infer_response.parameters, parameters)
    return response.SerializeToString()


def _joined(pieces: list[bytes]) -> bytes:
    size = sum(map(len, pieces))
    if size > MAX_MESSAGE_BYTES:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"the answer takes {size} bytes; a message holds at most {MAX_MESSAGE_BYTES}",
        )
    return b"".join(pieces)


def _set(parameters: Any, values: Parameters) -> None:
    for key, value in values.items():
        parameter = parameters[key]
        if isinstance(value, bool):
            parameter.bool_param = value
        elif isinstance(value, int):
            parameter.int64_param = value
        elif isinstance(value, float):
            parameter.double_param = value
        else:
            parameter.string_param = value
