"""Tensors of every datatype, and requests that carry them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from gateway.grpc.oip_requests import infer_request, parse_infer
from gateway.oip.datatypes import DATATYPES
from gateway.oip.messages import InferRequest
from gateway.protos.triton.grpc_service_pb2 import ModelInferRequest

Array = NDArray[Any]

FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)


@st.composite
def tensors(draw: st.DrawFn, names: tuple[str, ...] = tuple(DATATYPES)) -> tuple[str, Array]:
    """A datatype and an array that has it, with any bits for its numbers."""
    name = draw(st.sampled_from(names))
    shape = draw(shapes)
    count = math.prod(shape)
    dtype = DATATYPES[name].dtype
    if name == "BYTES":
        values = np.empty(count, object)
        values[:] = draw(st.lists(st.binary(max_size=9), min_size=count, max_size=count))
    elif name == "BOOL":
        values = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool)
    else:
        size = count * dtype.itemsize
        values = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype)
    return name, values.reshape(shape)


def message_of(
    datatype: str, shape: tuple[int, ...] | list[int], **contents: Any
) -> ModelInferRequest:
    """A request with one input x; ``raw`` is its raw contents, others are typed."""
    message = ModelInferRequest(model_name="m")
    tensor = message.inputs.add(name="x", datatype=datatype, shape=shape)
    if "raw" in contents:
        message.raw_input_contents.append(contents.pop("raw"))
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    return message


def read(message: ModelInferRequest) -> InferRequest:
    """As the server reads it off the wire."""
    return infer_request(parse_infer(message.SerializeToString()))


def read_array(message: ModelInferRequest) -> Array:
    array = read(message).inputs[0].array
    assert array is not None
    return array


def same(one: Array, other: Array) -> bool:
    """Equal to the bit, NaNs too."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind == "O":
        return bool(one.tolist() == other.tolist())
    return one.tobytes() == other.tobytes()
