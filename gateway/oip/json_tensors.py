"""Tensors within JSON: ``data`` to arrays, by the datatype that the request names, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import TensorSpec
from gateway.codecs.json_faults import expectation, find_fault
from gateway.codecs.json_numbers import NumberBlock
from gateway.codecs.json_values import read_array
from gateway.codecs.json_write import write_array
from gateway.codecs.overflow import overflow_allowed
from gateway.errors import ServingError, invalid_argument
from gateway.oip.datatypes import DATATYPES, Datatype, shape_text

_READ_AS = {
    "INT8": "INT32",
    "INT16": "INT32",
    "UINT8": "INT32",
    "UINT16": "INT32",
    "FP16": "FP64",
    "BF16": "FP64",
}
"""Wider datatypes, in which the values are checked. (In TF Serving's REST API the small integers
wrap around.)"""
_WRITE_AS = {"UINT16": np.int32, "FP16": np.float32, "BF16": np.float32}


class BlockRefusedError(Exception):
    """A NumberBlock does not fit; only the parsed JSON can tell why."""


def read_data(data: Any, datatype: Datatype, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """The array that the member ``data`` of the input ``name`` holds: values in row-major order,
    nested as ``shape`` says or flat.

    Floats beyond the datatype become infinite, as elsewhere in JSON; everything else that does not
    fit raises ServingError (INVALID_ARGUMENT). BYTES are text or ``{"b64": "..."}``. Raises
    BlockRefusedError for a NumberBlock that does not fit.
    """
    wide = DATATYPES[_READ_AS.get(datatype.name, datatype.name)]
    spec = TensorSpec(name, wide.dtype, wide.type_name, None)
    if isinstance(data, NumberBlock):
        array = data.read(spec)
        if array is None:
            raise BlockRefusedError
    else:
        array = _read(data, spec)
    return _shaped(_narrowed(array, datatype, name), shape, name)


def write_data(array: NDArray[Any], datatype: Datatype) -> bytes:
    """``array`` as one flat JSON list in row-major order.

    FP16 and BF16 are written as FP32. ``NaN`` and ``Infinity`` stand bare; BYTES that are no UTF-8
    are ``{"b64": "..."}``.
    """
    wide = _WRITE_AS.get(datatype.name)
    flat = array.reshape(-1)
    if wide is not None:
        flat = flat.astype(wide)
    # The name decides nothing here: TF Serving's rule for "_bytes" is not the protocol's.
    return write_array(flat, TensorSpec("data", flat.dtype, datatype.type_name, None))


def _read(data: Any, spec: TensorSpec) -> NDArray[Any]:
    array = read_array(data, spec, numbers_only=False)
    if array is None:
        raise find_fault(data, spec) or invalid_argument(
            f"Cannot convert JSON value to a tensor{expectation(spec)}"
        )
    return array


def _narrowed(array: NDArray[Any], datatype: Datatype, name: str) -> NDArray[Any]:
    if array.dtype == datatype.dtype:
        return array
    narrow: NDArray[Any] = overflow_allowed.run(array.astype, datatype.dtype)
    if datatype.dtype.kind in "iu" and not np.array_equal(narrow, array):
        limits = np.iinfo(datatype.dtype)
        wrong = array[narrow != array].flat[0]
        raise invalid_argument(
            f"input '{name}': {wrong} is no {datatype.name}, which goes from {limits.min} to"
            f" {limits.max}"
        )
    return narrow


def _shaped(array: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    if array.shape == shape:
        return array
    if array.size != math.prod(shape):
        raise _misfit(name, f"{array.size} values", shape, f", which takes {math.prod(shape)}")
    if array.ndim != 1:
        raise _misfit(name, f"the shape {shape_text(array.shape)}", shape, " nor flat")
    try:
        return array.reshape(shape)
    except ValueError:
        raise invalid_argument(f"input '{name}' has a shape that is too large") from None


def _misfit(name: str, got: str, shape: tuple[int, ...], rest: str) -> ServingError:
    return invalid_argument(
        f"input '{name}': data has {got}, which is not the shape {shape_text(shape)}{rest}"
    )
