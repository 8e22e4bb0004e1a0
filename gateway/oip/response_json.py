"""The body of the answer to REST infer: JSON, with or without binary tensors behind it."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.oip.binary import tensor_bytes
from gateway.oip.datatypes import DATATYPES
from gateway.oip.json_tensors import write_data
from gateway.oip.messages import InferOutput, InferResponse


def encode_response(response: InferResponse, *, binary: bool = False) -> tuple[bytes, int | None]:
    """The body, and how many bytes of it are JSON: None for all. ``binary`` is the form of outputs
    for which the request does not say it. Raises ServingError for BYTES beyond the binary form."""
    raw: list[bytes] = []
    outputs = [_output(output, binary, raw) for output in response.outputs]
    members: dict[str, Any] = {
        "model_name": response.model_name,
        "model_version": response.model_version,
    }
    if response.id:
        members["id"] = response.id
    if response.parameters:
        members["parameters"] = response.parameters
    head = _dumped(members)[:-1] + b',"outputs":[' + b",".join(outputs) + b"]}"
    if not raw:
        return head, None
    return b"".join((head, *raw)), len(head)


def _output(output: InferOutput, binary: bool, raw: list[bytes]) -> bytes:
    """The output's object; a binary tensor is added to ``raw``."""
    members: dict[str, Any] = {
        "name": output.name,
        "datatype": output.datatype,
        "shape": output.shape,
    }
    if output.array is None:
        # Of parameters, Triton's C++ client expects none but a binary tensor's size.
        return _dumped(members)
    datatype = DATATYPES[output.datatype]
    if binary if output.binary is None else output.binary:
        raw.append(tensor_bytes(output.array, datatype))
        members["parameters"] = {"binary_data_size": len(raw[-1])}
        return _dumped(members)
    return _dumped(members)[:-1] + b',"data":' + write_data(output.array, datatype) + b"}"


def _dumped(members: dict[str, Any]) -> bytes:
    return orjson.dumps(members)
