"""Named output arrays to the two forms of a predict answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from numpy.typing import NDArray

from batching import BatchOutputs, OutputRows
from gateway.backends.base import Tensors, TensorSpec
from gateway.codecs.json_write import write_array, write_rows
from gateway.errors import ServingError, invalid_argument

MOST_SHARED_VALUES = 8192
"""Of a batch whose rows are written together: some 300 us."""
_MEMO = "predict rows as JSON"

_Outputs = list[tuple[NDArray[Any], TensorSpec]]


def encode_rows(outputs: Tensors, specs: Mapping[str, TensorSpec]) -> bytes:
    """``{"predictions": [...]}``: plain values for one output, objects for several.

    Needs rank >= 1 and one 0th dimension for all, else ServingError (INVALID_ARGUMENT).
    """
    if type(outputs) is OutputRows:
        texts = outputs.batch.memo.get(_MEMO) or _row_texts(outputs.batch, specs)
        if texts:
            start, stop = outputs.start, outputs.stop
            if stop - start == 1:
                return b'{"predictions":[' + texts[start] + b"]}"
            return b'{"predictions":[%b]}' % b",".join(texts[start:stop])
    ordered = _in_order(outputs, specs)
    _check_rows(ordered)
    text = write_array(*ordered[0]) if len(ordered) == 1 else _row_objects(ordered)
    return b'{"predictions":' + text + b"}"


def encode_columns(outputs: Tensors, specs: Mapping[str, TensorSpec]) -> bytes:
    """``{"outputs": ...}``: the bare value of one output, an object for several."""
    if type(outputs) is OutputRows and len(outputs) == 1:
        texts = _row_texts(outputs.batch, specs)
        if texts:
            return b'{"outputs":[%b]}' % b",".join(texts[outputs.start : outputs.stop])
    ordered = _in_order(outputs, specs)
    if len(ordered) == 1:
        return b'{"outputs":' + write_array(*ordered[0]) + b"}"
    members = [orjson.dumps(spec.name) + b":" + write_array(array, spec) for array, spec in ordered]
    return b'{"outputs":{' + b",".join(members) + b"}}"


def _row_texts(batch: BatchOutputs, specs: Mapping[str, TensorSpec]) -> list[bytes]:
    """The texts of a batch's rows, written once for all who share it; none if it is large, which
    nobody's answer should wait for."""
    texts: list[bytes] | None = batch.memo.get(_MEMO)
    if texts is None:
        few = batch.size <= MOST_SHARED_VALUES
        texts = _write_rows(batch.arrays, specs) if few else []
        batch.memo[_MEMO] = texts
    return texts


def _write_rows(outputs: Tensors, specs: Mapping[str, TensorSpec]) -> list[bytes]:
    ordered = _in_order(outputs, specs)
    _check_rows(ordered)
    return write_rows(*ordered[0]) if len(ordered) == 1 else _objects(ordered)


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
    return b"[" + b",".join(_objects(ordered)) + b"]"


def _objects(ordered: _Outputs) -> list[bytes]:
    names = [orjson.dumps(spec.name).replace(b"%", b"%%") for _, spec in ordered]
    template = b"{" + b",".join([name + b":%b" for name in names]) + b"}"
    columns = [write_rows(*output) for output in ordered]
    return [template % row for row in zip(*columns, strict=True)]
