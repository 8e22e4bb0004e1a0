"""A tensor of numbers within JSON: ``{"dtype": "float32", "shape": [1, 3], "b64": "..."}``.

Not in TF Serving, which refuses every object as the value of a named input of numbers: there it
cannot be mistaken for anything else.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from gateway.backends.base import TensorSpec
from gateway.codecs.binary import MAX_RANK, MAX_SIZE, TensorHead, read_tensor
from gateway.codecs.json_text import quote
from gateway.codecs.json_values import decode_base64
from gateway.errors import ServingError, invalid_argument

_KEYS = {"dtype", "shape", "b64"}


def is_tensor_object(value: Any) -> bool:
    """Whether ``value`` has exactly the three keys."""
    return type(value) is dict and value.keys() == _KEYS


def read_tensor_object(value: dict[str, Any], spec: TensorSpec) -> NDArray[Any]:
    """The array: little-endian, C order, in base64. Raises ServingError (INVALID_ARGUMENT) naming
    the input."""
    dtype, shape, text = value["dtype"], value["shape"], value["b64"]
    if type(dtype) is not str:
        raise _fault(spec, f'"dtype" must be a string, got {quote(dtype)}')
    if type(shape) is not list or len(shape) > MAX_RANK or not all(map(_is_size, shape)):
        raise _fault(spec, f'"shape" must be a list of sizes, got {quote(shape)}')
    if type(text) is not str:
        raise _fault(spec, f'"b64" must be a string, got {quote(text)}')
    try:
        data = decode_base64(text)
    except ValueError:
        raise _fault(spec, f"Unable to base64 decode: {quote(text)}") from None
    array = read_tensor(TensorHead(spec.name, dtype, tuple(shape)), spec, data, 0)
    if array.nbytes != len(data):
        raise _fault(
            spec, f"its shape {shape} takes {array.nbytes} bytes, but there are {len(data)}"
        )
    return array


def _is_size(size: Any) -> bool:
    return type(size) is int and 0 <= size <= MAX_SIZE


def _fault(spec: TensorSpec, phrase: str) -> ServingError:
    return invalid_argument(f'input "{spec.name}": {phrase}')
