"""The classification extension: the best classes of an output instead of its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import invalid_argument
from gateway.oip.datatypes import Datatype


def classify(
    array: NDArray[Any],
    datatype: Datatype,
    count: int,
    name: str,
    *,
    labels: Sequence[str] = (),
    batched: bool,
) -> NDArray[Any]:
    """The ``count`` highest values of each row (of all values when the model is not ``batched``)
    as ``b"value:index"`` or ``b"value:index:label"``, highest first, equal ones by index, NaN last.

    An object array of shape [rows, n] or [n], n being at most ``count``. Raises ServingError
    (INVALID_ARGUMENT) for an output that has no order.
    """
    if datatype.is_bytes or datatype.dtype.kind == "b":
        raise invalid_argument(
            f"output '{name}' cannot be classified: it is {datatype.name}, not numbers"
        )
    rows = len(array) if batched else 1
    values = array.reshape(rows, math.prod(array.shape[1:]) if batched else array.size)
    best = min(count, values.shape[1])
    classes = np.empty((rows, best), object)
    for row, (chosen, ordered) in enumerate(zip(values, _highest(values, best), strict=True)):
        classes[row] = [_text(chosen[index], int(index), labels) for index in ordered]
    return classes if batched else classes.reshape(best)


def _highest(values: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Positions of the ``count`` highest values of each row."""
    order: NDArray[np.intp]
    if values.dtype.kind in "iu":
        # From the end: negating could overflow.
        backwards = np.argsort(values[:, ::-1], axis=1, kind="stable")[:, ::-1]
        order = values.shape[1] - 1 - backwards
    else:
        order = np.argsort(-values.astype(np.float64), axis=1, kind="stable")
    return order[:, :count]


def _text(value: Any, index: int, labels: Sequence[str]) -> bytes:
    """Six decimals for floats, as C's printf and Triton have them."""
    number = f"{value:d}" if isinstance(value, np.integer) else f"{float(value):f}"
    label = f":{labels[index]}" if index < len(labels) else ""
    return f"{number}:{index}{label}".encode()
