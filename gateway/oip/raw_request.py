"""A request that is one tensor's bytes and nothing else (binary tensor extension, raw body)."""

from __future__ import annotations

import math

import numpy as np

from gateway.errors import invalid_argument
from gateway.oip.binary import read_tensor
from gateway.oip.interface import ModelInterface
from gateway.oip.messages import InferInput, InferRequest


def raw_request(name: str, version: str, data: bytes, interface: ModelInterface) -> InferRequest:
    """The request for one row, all of whose outputs are to be binary.

    The model must have one input; its shape may have one unknown size, which follows from the
    number of bytes. BYTES: ``data`` is the only element, without its length. Raises ServingError
    (INVALID_ARGUMENT).
    """
    required = [tensor for tensor in interface.inputs.values() if not tensor.optional]
    if len(required) != 1:
        raise invalid_argument(
            f"a raw request needs a model with one input; '{name}' has {len(required)}"
        )
    [tensor] = required
    datatype, what = tensor.datatype, f"input '{tensor.name}'"
    if datatype is None:
        raise invalid_argument(f"{what} has no datatype in the protocol")
    batch = (1,) if interface.batched else ()
    dims = tensor.shape[len(batch) :]
    if datatype.is_bytes:
        shape = (*batch, *(1 for _ in dims))
        array = np.empty(shape, object)
        array[...] = data
    else:
        if tensor.any_rank:
            dims = (-1,)
        shape = (*batch, *_filled(dims, len(data) // datatype.itemsize, what))
        array = read_tensor(data, datatype, shape, what)
    inputs = [InferInput(tensor.name, datatype.name, shape, array)]
    return InferRequest(name, inputs, (), version, "", {"binary_data_output": True})


def _filled(dims: tuple[int, ...], values: int, what: str) -> tuple[int, ...]:
    """``dims`` with the size that so many values give to the unknown one."""
    unknown = dims.count(-1)
    if unknown > 1:
        raise invalid_argument(
            f"{what} has more than one variable-sized dimension, which a raw request cannot give"
        )
    known = math.prod(size for size in dims if size != -1)
    missing = values // known if known else 0
    return tuple(missing if size == -1 else size for size in dims)
