"""Named output arrays to the two forms of a predict answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from numpy.typing import NDArray

from gateway.backends.base import Tensors, TensorSpec
from gateway.codecs.json_write import write_array, write_rows
from gateway.errors import ServingError, invalid_argument

_Outputs = list[tuple[NDArray[Any], TensorSpec]]


def encode_rows(outputs: Tensors, specs: Mapping[str, TensorSpec]) -> bytes:
    """``{"predictions": [...]}``: plain values for one output, objects for several.

    Needs rank >= 1 and one 0th dimension for all, else ServingError (INVALID_ARGUMENT).
    """
    ordered = _in_order(outputs, specs)
    _check_rows(ordered)
    text = write_array(*ordered[0]) if len(ordered) == 1 else _row_objects(ordered)
    return b'{"predictions":' + text + b"}"


def encode_columns(outputs: Tensors, specs: Mapping[str, TensorSpec]) -> bytes:
    """``{"outputs": ...}``: the bare value of one output, an object for several."""
    ordered = _in_order(outputs, specs)
    if len(ordered) == 1:
        return b'{"outputs":' + write_array(*ordered[0]) + b"}"
    members = [orjson.dumps(spec.name) + b":" + write_array(array, spec) for array, spec in ordered]
    return b'{"outputs":{' + b",".join(members) + b"}}"


def _in_order(outputs: Tensors, specs: Mapping[str, TensorSpec]) -> _Outputs:
    ordered = [(outputs[alias], spec) for alias, spec in specs.items() if alias in outputs]
    if not ordered:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    return ordered


def _check_rows(ordered: _Outputs) -> None:
    rows: int | None = None
    for array, spec in ordered:
        if array.ndim == 0:
            raise _row_form_error(f"Tensor name: {spec.name} has no shape information")
        if rows is not None and len(array) != rows:
            raise _row_form_error(
                f"Tensor name: {spec.name} has inconsistent batch size: {len(array)}"
                f" expecting: {rows}"
            )
        rows = len(array)


def _row_form_error(phrase: str) -> ServingError:
    return invalid_argument(f'{phrase} (the column form, "inputs", can carry these outputs)')


def _row_objects(ordered: _Outputs) -> bytes:
    names = [orjson.dumps(spec.name).replace(b"%", b"%%") for _, spec in ordered]
    template = b"{" + b",".join([name + b":%b" for name in names]) + b"}"
    columns = [write_rows(*output) for output in ordered]
    return b"[" + b",".join([template % row for row in zip(*columns, strict=True)]) + b"]"
