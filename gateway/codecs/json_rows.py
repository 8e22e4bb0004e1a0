"""Row form, ``{"instances": [...]}``: a list with one element for each row of every input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.backends.base import Tensors, TensorSpec
from gateway.codecs.json_flat import pack_columns
from gateway.codecs.json_row_faults import explain_rows
from gateway.codecs.json_text import json_type, quote
from gateway.codecs.json_values import is_base64, read_array
from gateway.errors import invalid_argument


def decode_rows(instances: Any, specs: Mapping[str, TensorSpec], *, numbers_only: bool) -> Tensors:
    """Arrays by alias, each of shape ``[len(instances)] + shape of an element``; PackedInputs where
    they are small.

    The first element decides whether all are plain values (one input only) or objects with exactly
    the aliases of the signature. Raises ServingError.
    """
    columns = _columns(_checked_list(instances), specs)
    packed = pack_columns(columns, specs, numbers_only=numbers_only)
    if packed is not None:
        return packed
    arrays = {}
    for alias, column in columns.items():
        array = read_array(column, specs[alias], numbers_only=numbers_only)
        if array is None:
            raise explain_rows(instances, specs)
        arrays[alias] = array
    return arrays


def _checked_list(instances: Any) -> list[Any]:
    if type(instances) is not list:
        raise invalid_argument(
            f"JSON Value: {quote(instances)} Expecting 'instances' to be an list/array"
            f" (got {json_type(instances)})"
        )
    if not instances:
        raise invalid_argument("No values in 'instances' array")
    return instances


def _columns(instances: list[Any], specs: Mapping[str, TensorSpec]) -> dict[str, list[Any]]:
    first = instances[0]
    if not specs:
        raise invalid_argument(
            "The signature has no inputs, so 'instances' has no meaning: send {\"inputs\": {}}"
        )
    if type(first) is dict and not is_base64(first):
        return _transposed(instances, specs)
    if len(specs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors"
            f" required as per tensorinfo_map (expected keys: {','.join(specs)};"
            f" got {json_type(first)})"
        )
    return dict.fromkeys(specs, instances)


def _transposed(instances: list[Any], specs: Mapping[str, TensorSpec]) -> dict[str, list[Any]]:
    expected = specs.keys()
    for row in instances:
        if type(row) is not dict or row.keys() != expected:
            raise explain_rows(instances, specs)
    return {alias: [row[alias] for row in instances] for alias in specs}
