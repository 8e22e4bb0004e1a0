"""Which requests may share a batch: equal keys do, and only they."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from batching.errors import IncompatibleItem
from batching.policy import BatchPolicy, Padding, PadInput
from batching.queue import ALONE

Array = NDArray[Any]


class Description(NamedTuple):
    """What the queue must know of a request's arrays. The length is in entries a row, as padded
    to a bucket."""

    rows: int
    key: Hashable
    length: int


def describe(inputs: Mapping[str, Array], policy: BatchPolicy) -> Description:
    """Rows of a request, the key of those it may share a batch with, and its padded length.

    A request that cannot share one at all (an input without axis 0, inputs that disagree on the
    number of rows, no rows, no inputs) gets the key ``ALONE``. Raises IncompatibleItem when a
    padded input lacks the axis to pad, or inputs that share a mask or length disagree.
    """
    rows = -1
    for array in inputs.values():
        size = array.shape[0] if array.ndim else -1
        if size <= 0 or size != (size if rows < 0 else rows):
            return Description(_largest(inputs), ALONE, 1)
        rows = size
    if rows < 0 or not policy.enabled:
        return Description(max(rows, 1), ALONE, 1)
    padding = policy.padding
    if padding is None:
        if len(inputs) == 1:
            [(name, array)] = inputs.items()
            return Description(rows, ((name, array.dtype, array.shape[1:]),), 1)
        key = tuple((name, inputs[name].dtype, inputs[name].shape[1:]) for name in sorted(inputs))
        return Description(rows, key, 1)
    return _describe_padded(inputs, rows, padding)


def _largest(inputs: Mapping[str, Array]) -> int:
    return max((array.shape[0] for array in inputs.values() if array.ndim), default=1) or 1


def _describe_padded(inputs: Mapping[str, Array], rows: int, padding: Padding) -> Description:
    filled = padding.filled_inputs
    length = 1
    key: list[Hashable] = []
    for name in sorted(inputs):
        array = inputs[name]
        rule = padding.inputs.get(name) if name not in filled else None
        if rule is not None:
            shape = _fixed_shape(name, array, rule)
            sizes = (rule.common_length(array.shape[axis]) for axis in rule.axes)
            length = max(length, math.prod(sizes))
        elif name in filled:
            continue
        else:
            shape = array.shape[1:]
        key.append((name, array.dtype, shape))
    _check_filled(inputs, padding)
    return Description(rows, tuple(key), length)


def _check_filled(inputs: Mapping[str, Array], padding: Padding) -> None:
    """Inputs that share a mask or length must agree on it, and so must one that the request sent
    itself."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for source, rule in padding.inputs.items():
        if source not in inputs:
            continue
        length = inputs[source].shape[rule.axes[0]]
        for name, shape in ((rule.mask_input, (length,)), (rule.length_input, (length,))):
            if name is None:
                continue
            sent = inputs[name].shape[1:] if name in inputs else None
            own = shape if name == rule.mask_input else ()
            if sent is not None and sent != own:
                raise IncompatibleItem(
                    f"input {name!r}: expected rows of shape {list(own)}, as input {source!r} "
                    f"has, got {list(sent)}"
                )
            first, expected = shapes.setdefault(name, (source, shape))
            if shape != expected:
                raise IncompatibleItem(
                    f"inputs {first!r} and {source!r} share {name!r}, but have "
                    f"{expected[0]} and {length} entries a row"
                )
    for name in padding.filled_inputs.difference(shapes):
        if name in inputs:
            raise IncompatibleItem(f"input {name!r} describes an input that was not sent")


def _fixed_shape(name: str, array: Array, rule: PadInput) -> tuple[int | None, ...]:
    """The shape after axis 0 with None for the axes that are padded."""
    if array.ndim <= max(rule.axes):
        raise IncompatibleItem(
            f"input {name!r}: padding needs axis {max(rule.axes)}, but its shape is "
            f"{list(array.shape)}"
        )
    return tuple(
        None if axis in rule.axes else size for axis, size in enumerate(array.shape[1:], 1)
    )
