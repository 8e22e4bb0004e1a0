"""Column form, ``{"inputs": ...}``: one value for each input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.backends.base import Tensors, TensorSpec
from gateway.codecs.json_faults import expectation, find_fault
from gateway.codecs.json_flat import pack_columns
from gateway.codecs.json_tensor_objects import is_tensor_object, read_tensor_object
from gateway.codecs.json_text import json_type, quote_keys
from gateway.codecs.json_values import is_base64, read_array
from gateway.errors import ServingError, invalid_argument


def decode_columns(inputs: Any, specs: Mapping[str, TensorSpec], *, numbers_only: bool) -> Tensors:
    """Arrays by alias; their 0th dimensions may differ. PackedInputs where they are small.

    One input: a bare value or ``{alias: value}``; otherwise an object with exactly the aliases of
    the signature (stricter than TF Serving, which ignores the others). Beyond TF Serving, a named
    input of numbers may be ``{"dtype": ..., "shape": ..., "b64": ...}``. Raises ServingError.
    """
    columns = _columns(inputs, specs)
    packed = pack_columns(columns, specs, numbers_only=numbers_only)
    if packed is not None:
        return packed
    arrays = {}
    for alias, spec in specs.items():
        if is_tensor_object(columns[alias]) and not spec.is_string:
            arrays[alias] = read_tensor_object(columns[alias], spec)
            continue
        array = read_array(columns[alias], spec, numbers_only=numbers_only)
        if array is None:
            raise find_fault(columns[alias], spec) or _unexplained(spec)
        arrays[alias] = array
    return arrays


def _columns(inputs: Any, specs: Mapping[str, TensorSpec]) -> Mapping[str, Any]:
    if type(inputs) is dict and not is_base64(inputs):
        _check_aliases(inputs, specs)
        return inputs
    if len(specs) == 1:
        return dict.fromkeys(specs, inputs)
    got = f"got {json_type(inputs)}"
    if specs:
        raise invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors"
            f" required as per tensorinfo_map (expected keys: {','.join(specs)}; {got})"
        )
    raise invalid_argument(f"The signature has no inputs: 'inputs' must be {{}} ({got})")


def _check_aliases(inputs: Mapping[str, Any], specs: Mapping[str, TensorSpec]) -> None:
    if inputs.keys() == specs.keys():
        return
    names = f"(expected keys: {','.join(specs)}; got: {quote_keys(inputs)})"
    for alias in specs:
        if alias not in inputs:
            raise invalid_argument(f"Missing named input: {alias} in 'inputs' object. {names}")
    extra = quote_keys(inputs.keys() - specs.keys())
    raise invalid_argument(f"Unknown named inputs: {extra} in 'inputs' object. {names}")


def _unexplained(spec: TensorSpec) -> ServingError:
    return invalid_argument(f"Cannot convert JSON value to a tensor{expectation(spec)}")
