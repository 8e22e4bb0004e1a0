"""Which element of ``instances`` is wrong, and why: TF Serving's phrase, then the expectation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gateway.backends.base import TensorSpec
from gateway.codecs.json_faults import MAX_RANK, expectation, find_fault, leading_shape
from gateway.codecs.json_text import json_type, quote, quote_keys
from gateway.codecs.json_values import is_base64
from gateway.errors import ServingError, invalid_argument

_Shapes = dict[str, tuple[int, ...]]
"""Shape of the first element, by alias."""


def explain_rows(instances: list[Any], specs: Mapping[str, TensorSpec]) -> ServingError:
    """The first fault of a non-empty list in reading order, naming element, input and expectation.

    Always INVALID_ARGUMENT; a dtype that JSON cannot carry is named inside, as UNIMPLEMENTED.
    """
    named = _is_named(instances[0])
    shapes: _Shapes = {}
    for index, element in enumerate(instances):
        if _is_named(element) is not named:
            return _mixed(index, element, named, specs)
        fault = (
            _named_fault(index, element, specs, shapes)
            if named
            else _plain_fault(index, element, specs, shapes)
        )
        if fault is not None:
            return fault
    return invalid_argument(f"Cannot convert 'instances' to tensors ({_keys(specs)})")


def _is_named(element: Any) -> bool:
    return type(element) is dict and not is_base64(element)


def _mixed(index: int, element: Any, named: bool, specs: Mapping[str, TensorSpec]) -> ServingError:
    got = f"got {json_type(element)}"
    if named:
        return invalid_argument(
            f"Expecting object but got list at item {index} of input list ({_keys(specs)}; {got})"
        )
    return invalid_argument(
        f"Expecting value/list but got object at item {index} of input list"
        f" (input: {','.join(specs)}; {got})"
    )


def _named_fault(
    index: int, element: dict[str, Any], specs: Mapping[str, TensorSpec], shapes: _Shapes
) -> ServingError | None:
    for key, value in element.items():
        spec = specs.get(key)
        if spec is None:
            fault: ServingError | None = invalid_argument(
                f"JSON object: does not have named input: {key}"
                f" ({_keys(specs)}; got: {quote_keys(element)})"
            )
        else:
            fault = _value_fault(index, value, spec, shapes)
        if fault is not None:
            return _failed(f"{index} key: {key}", fault)
    if element.keys() != specs.keys():
        return invalid_argument(
            f"Failed to process element: {index} of 'instances' list. JSON object: {quote(element)}"
            f" keys must be equal to: {','.join(sorted(specs))} (got: {quote_keys(element)})"
        )
    return None


def _plain_fault(
    index: int, element: Any, specs: Mapping[str, TensorSpec], shapes: _Shapes
) -> ServingError | None:
    (spec,) = specs.values()
    fault = _value_fault(index, element, spec, shapes)
    return None if fault is None else _failed(str(index), fault)


def _failed(which: str, fault: ServingError) -> ServingError:
    return invalid_argument(
        f"Failed to process element: {which} of 'instances' list."
        f" Error: {fault.code.name}: {fault.message}"
    )


def _value_fault(index: int, value: Any, spec: TensorSpec, shapes: _Shapes) -> ServingError | None:
    fault = find_fault(value, spec, max_rank=MAX_RANK - 1)
    if fault is not None:
        return fault
    shape = leading_shape(value)
    first = shapes.setdefault(spec.name, shape)
    if shape == first:
        return None
    if math.prod(shape) != math.prod(first):
        phrase = f"Expecting tensor size: {math.prod(first)} but got: {math.prod(shape)}"
    else:
        phrase = f"Expecting shape {_text(first)} but got: {_text(shape)}"
    detail = f" (element 0 has shape {_text(first)}, element {index} has {_text(shape)})"
    return invalid_argument(phrase + detail + expectation(spec))


def _text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _keys(specs: Mapping[str, TensorSpec]) -> str:
    return f"expected keys: {','.join(specs)}"
