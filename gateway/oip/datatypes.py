"""The protocol's datatypes, and the shapes that tensors may have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from gateway.backends.base import TensorSpec
from gateway.codecs.json_text import quote
from gateway.errors import invalid_argument

MAX_RANK = 64
"""numpy's limit."""
MAX_VALUES = 2**62
"""More no memory can hold; numpy itself counts up to 2^63 bytes."""


@dataclass(frozen=True, slots=True)
class Datatype:
    """One of the protocol's datatypes."""

    name: str
    """``FP32``"""
    type_name: str
    """TensorFlow's: ``DT_FLOAT``"""
    dtype: np.dtype[Any]
    """``object`` for BYTES (elements are ``bytes``)."""
    config_name: str
    """That of a Triton model configuration: ``TYPE_FP32``"""

    @property
    def is_bytes(self) -> bool:
        return self.dtype.kind == "O"

    @property
    def itemsize(self) -> int:
        """Bytes of a value; 0 where values differ in size."""
        return 0 if self.is_bytes else self.dtype.itemsize


def _datatype(name: str, type_name: str, dtype: Any, config_name: str = "") -> Datatype:
    return Datatype(name, type_name, np.dtype(dtype), config_name or f"TYPE_{name}")


_ALL = (
    _datatype("BOOL", "DT_BOOL", np.bool_),
    _datatype("UINT8", "DT_UINT8", np.uint8),
    _datatype("UINT16", "DT_UINT16", np.uint16),
    _datatype("UINT32", "DT_UINT32", np.uint32),
    _datatype("UINT64", "DT_UINT64", np.uint64),
    _datatype("INT8", "DT_INT8", np.int8),
    _datatype("INT16", "DT_INT16", np.int16),
    _datatype("INT32", "DT_INT32", np.int32),
    _datatype("INT64", "DT_INT64", np.int64),
    _datatype("FP16", "DT_HALF", np.float16),
    _datatype("FP32", "DT_FLOAT", np.float32),
    _datatype("FP64", "DT_DOUBLE", np.float64),
    _datatype("BF16", "DT_BFLOAT16", ml_dtypes.bfloat16),
    _datatype("BYTES", "DT_STRING", object, "TYPE_STRING"),
)

DATATYPES: Mapping[str, Datatype] = {datatype.name: datatype for datatype in _ALL}
_BY_TYPE_NAME = {datatype.type_name: datatype for datatype in _ALL}


def find_datatype(name: str, what: str) -> Datatype:
    """The datatype that a client calls ``name``, for the tensor that messages call ``what``.
    Raises ServingError (INVALID_ARGUMENT)."""
    datatype = DATATYPES.get(name)
    if datatype is None:
        raise invalid_argument(
            f"{what} has the unknown datatype {quote(name)}; expected one of {', '.join(DATATYPES)}"
        )
    return datatype


def datatype_of(spec: TensorSpec) -> Datatype | None:
    """What the protocol calls the dtype of a model's tensor; None for one without a name there
    (complex numbers, 8-bit floats)."""
    return _BY_TYPE_NAME.get(spec.type_name)


def check_shape(shape: Sequence[Any], what: str) -> tuple[int, ...]:
    """``shape`` as a tuple, which says nothing yet about the data. Raises ServingError
    (INVALID_ARGUMENT): not whole numbers, negative ones, too many, a product beyond 64 bits."""
    # Numbers only: true is an int to Python.
    if not all(type(size) is int for size in shape):
        raise invalid_argument(f"{what} must have a shape of whole numbers, got {quote(shape)}")
    sizes = tuple(shape)
    if len(sizes) > MAX_RANK:
        raise invalid_argument(f"{what} has {len(sizes)} dimensions; at most {MAX_RANK} can be")
    if any(size < 0 for size in sizes):
        raise invalid_argument(f"{what} has a negative dimension: {shape_text(sizes)}")
    if math.prod(filter(None, sizes)) > MAX_VALUES:
        raise invalid_argument(f"{what} has the shape {shape_text(sizes)}, which is too large")
    return sizes


def shape_text(shape: Sequence[int]) -> str:
    """``[-1,4]``"""
    return quote(list(shape))
