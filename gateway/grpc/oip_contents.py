"""Typed tensor contents (``InferTensorContents``) as arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.codecs.varints import read_varints
from gateway.errors import ServingError, invalid_argument
from gateway.oip.datatypes import Datatype, shape_text
from gateway.protos.triton.grpc_service_pb2 import InferTensorContents

_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Where the values of a datatype are; FP16 and BF16 have no such place."""

_FEW = 64
"""Up to so many values a list is faster than the bytes of the whole field."""


def typed_array(
    contents: InferTensorContents, datatype: Datatype, shape: tuple[int, ...], what: str
) -> NDArray[Any]:
    """The values in ``contents``, C-contiguous; BYTES as an object array of ``bytes``.

    ``shape`` was checked (``check_shape``). Raises ServingError (INVALID_ARGUMENT), which calls
    the tensor ``what``: a datatype without typed contents, values in another datatype's field, more
    or fewer than the shape takes, an integer beyond the datatype's range.
    """
    field = _FIELDS.get(datatype.name)
    if field is None:
        raise invalid_argument(f"{what}: {datatype.name} values must be in raw_input_contents")
    contents.DiscardUnknownFields()
    _check_field(contents, field, datatype, what)
    values = getattr(contents, field)
    if len(values) != math.prod(shape):
        raise invalid_argument(
            f"{what} has {len(values)} values in {field}, but its shape {shape_text(shape)} takes"
            f" {math.prod(shape)}"
        )
    try:
        return _array(contents, values, datatype, what).reshape(shape)
    except ValueError:
        # Nothing of it is there, as one size is 0; the others are beyond what numpy can count.
        raise invalid_argument(f"{what} has a shape that is too large") from None


def _check_field(contents: InferTensorContents, field: str, datatype: Datatype, what: str) -> None:
    for descriptor, _ in contents.ListFields():
        if descriptor.name != field:
            raise invalid_argument(
                f"{what}: {datatype.name} values must be in {field}, got values in"
                f" {descriptor.name}"
            )


def _array(
    contents: InferTensorContents, values: Any, datatype: Datatype, what: str
) -> NDArray[Any]:
    dtype = datatype.dtype
    if datatype.is_bytes:
        array = np.empty(len(values), object)
        array[:] = values[:]
        return array
    if dtype.kind in "fb" and len(values) > _FEW:
        return _packed(contents, dtype)
    try:
        return np.array(values[:], dtype)
    except OverflowError:
        raise _out_of_range(values, datatype, what) from None


def _packed(contents: InferTensorContents, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The one field's values, which stand on the wire as in memory: behind a tag of one byte and
    the number of bytes."""
    wire = contents.SerializeToString()
    _, start = read_varints(wire[1:12], 1)
    return np.frombuffer(wire[1 + start :], dtype.newbyteorder("<")).astype(dtype, copy=False)


def _out_of_range(values: Any, datatype: Datatype, what: str) -> ServingError:
    limits = np.iinfo(datatype.dtype)
    wrong = next(value for value in values if not limits.min <= value <= limits.max)
    return invalid_argument(f"{what} has the value {wrong}, which is no {datatype.name}")
