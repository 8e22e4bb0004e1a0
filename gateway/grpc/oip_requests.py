"""ModelInferRequest messages as requests of the protocol's core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.errors import ServingError, invalid_argument
from gateway.grpc.calls import read_message
from gateway.grpc.oip_contents import typed_array
from gateway.grpc.oip_guard import check_fields
from gateway.oip.binary import read_tensor
from gateway.oip.datatypes import check_shape, find_datatype
from gateway.oip.messages import (
    MAX_ID_BYTES,
    MAX_TENSORS,
    InferInput,
    InferRequest,
    Parameter,
    RequestedOutput,
    shared_memory_range,
)
from gateway.protos.triton.grpc_service_pb2 import InferParameter, ModelInferRequest

_EMPTY_FINAL_RESPONSE = "triton_enable_empty_final_response"
_NO_PARAMETERS: dict[str, Parameter] = {}


def parse_infer(data: bytes) -> ModelInferRequest:
    """The message; its tensors are not looked at yet. Raises ServingError (INVALID_ARGUMENT)."""
    check_fields(data)
    message: ModelInferRequest = read_message(ModelInferRequest, data)
    if len(message.id) > MAX_ID_BYTES:
        raise invalid_argument(
            f"the request's id has {len(message.id)} characters; at most {MAX_ID_BYTES} can be"
        )
    return message


def infer_request(message: ModelInferRequest) -> InferRequest:
    """The request with its tensors as arrays: views of the message's bytes where they are aligned.

    Raises ServingError (INVALID_ARGUMENT), which names the tensor, for what is wrong whatever the
    model is.
    """
    if len(message.inputs) > MAX_TENSORS or len(message.outputs) > MAX_TENSORS:
        raise invalid_argument(
            f"{len(message.inputs)} inputs and {len(message.outputs)} requested outputs;"
            f" at most {MAX_TENSORS} of each are taken"
        )
    return InferRequest(
        model_name=message.model_name,
        model_version=message.model_version,
        id=message.id,
        parameters=_request_parameters(message),
        inputs=_inputs(message),
        outputs=[_output(output) for output in message.outputs] if message.outputs else (),
    )


def _request_parameters(message: ModelInferRequest) -> dict[str, Parameter]:
    """All but the wish for an empty last response, which only decoupled models could send."""
    if not message.parameters:
        return _NO_PARAMETERS
    parameters = _parameters(message.parameters, "the request")
    if type(parameters.pop(_EMPTY_FINAL_RESPONSE, False)) is not bool:
        raise invalid_argument(f"the parameter '{_EMPTY_FINAL_RESPONSE}' must be a bool_param")
    return parameters


def _inputs(message: ModelInferRequest) -> Sequence[InferInput]:
    """Each input that is not in shared memory has its own raw contents, in order (Triton); typed
    and raw contents do not mix."""
    contents = message.raw_input_contents
    raw = iter(contents)
    is_raw = len(contents) > 0
    inputs = [_input(tensor, raw, is_raw) for tensor in message.inputs]
    if next(raw, None) is not None:
        wanted = sum(tensor.shared_memory is None for tensor in inputs)
        raise invalid_argument(
            f"raw_input_contents has {len(contents)} tensors, but {wanted} inputs need one"
        )
    return inputs


def _input(
    tensor: ModelInferRequest.InferInputTensor, raw: Iterator[bytes], is_raw: bool
) -> InferInput:
    name = tensor.name
    what = f"input '{name[:256]}'"
    shape = check_shape(tensor.shape, what)
    datatype = find_datatype(tensor.datatype, what)
    parameters = _parameters(tensor.parameters, what) if tensor.parameters else _NO_PARAMETERS
    memory = shared_memory_range(parameters, what) if parameters else None
    if memory is not None:
        if tensor.HasField("contents"):
            raise invalid_argument(f"{what} is in shared memory and must have no contents")
        return InferInput(name, datatype.name, shape, shared_memory=memory)
    if not is_raw:
        array = typed_array(tensor.contents, datatype, shape, what)
    elif tensor.HasField("contents"):
        raise invalid_argument(f"{what}: contents must not be given along with raw_input_contents")
    else:
        array = read_tensor(_next(raw, what), datatype, shape, what)
    return InferInput(name, datatype.name, shape, array)


def _next(raw: Iterator[bytes], what: str) -> bytes:
    data = next(raw, None)
    if data is None:
        raise invalid_argument(f"{what} has no data: raw_input_contents has too few tensors")
    return data


def _output(output: ModelInferRequest.InferRequestedOutputTensor) -> RequestedOutput:
    name = output.name
    if not output.parameters:
        return RequestedOutput(name)
    what = f"output '{name[:256]}'"
    return RequestedOutput.from_parameters(name, _parameters(output.parameters, what))


def _parameters(parameters: Mapping[str, InferParameter], what: str) -> dict[str, Parameter]:
    return {key: _value(key, parameter, what) for key, parameter in parameters.items()}


def _value(key: str, parameter: InferParameter, what: str) -> Parameter:
    kind = parameter.WhichOneof("parameter_choice")
    if kind is None:
        raise _without_value(key, what)
    value: Parameter = getattr(parameter, kind)
    return value


def _without_value(key: str, what: str) -> ServingError:
    return invalid_argument(f"{what}: the parameter '{key[:256]}' has no value")
