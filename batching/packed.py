"""Requests that come packed and answers that are ranges of a batch: no array for each request.

A small array costs about as much to make as to fill. What many small requests have in common, the
one batch, is an array; each of them is a view only when somebody looks.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from batching.arrays import Array, Part

Column = tuple[str, np.dtype[Any], tuple[int, ...]]
"""Name, dtype and shape per row of an input."""


class PackedInputs(Mapping[str, Array]):
    """Inputs of one request whose values lie flat in C order; arrays on demand.

    ``key`` describes them, sorted by name. ``data`` holds for each of them ``bytes`` (numbers in
    native byte order) or, where the dtype is ``object``, a list of the values. All have ``rows``
    rows, and no row is empty. The arrays cannot be written to, but for those of objects.
    """

    __slots__ = ("data", "key", "rows")

    def __init__(
        self, data: Sequence[bytes | list[Any]], key: tuple[Column, ...], rows: int
    ) -> None:
        self.data = data
        self.key = key
        self.rows = rows

    def __getitem__(self, name: str) -> Array:
        for (known, dtype, shape), values in zip(self.key, self.data, strict=True):
            if known == name:
                return _array(values, dtype, (self.rows, *shape))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _, _ in self.key])

    def __len__(self) -> int:
        return len(self.key)

    def __repr__(self) -> str:
        return f"<PackedInputs rows={self.rows} {self.key}>"

    def cut(self, position: int, start: int, stop: int) -> bytes | list[Any]:
        """Values of the rows from ``start`` to ``stop`` of the input at ``position`` of ``key``."""
        values = self.data[position]
        width = len(values) // self.rows
        return values[start * width : stop * width]


class BatchOutputs:
    """The outputs of a batch, shared by all who have rows of it."""

    __slots__ = ("arrays", "memo", "size")

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.size = sum([array.size for array in arrays.values()])
        """Number of values in all arrays together."""
        self.memo: dict[Hashable, Any] = {}
        """What consumers derive from the whole batch once, for all of its requests."""


class OutputRows(Mapping[str, Array]):
    """One request's part of a batch's outputs: the rows from ``start`` to ``stop``, as views."""

    __slots__ = ("batch", "start", "stop")

    def __init__(self, batch: BatchOutputs, start: int, stop: int) -> None:
        self.batch = batch
        self.start = start
        self.stop = stop

    def __getitem__(self, name: str) -> Array:
        return self.batch.arrays[name][self.start : self.stop]

    def __iter__(self) -> Iterator[str]:
        return iter(self.batch.arrays)

    def __len__(self) -> int:
        return len(self.batch.arrays)

    @property
    def size(self) -> int:
        """Number of values in all arrays together, which are not looked at."""
        size = 0
        for array in self.batch.arrays.values():
            size += array.size // len(array)
        return size * (self.stop - self.start)

    def __repr__(self) -> str:
        return f"<OutputRows {self.start}-{self.stop} of {list(self.batch.arrays)}>"


def stack_packed(parts: Sequence[Part], padded_rows: int) -> dict[str, Array] | None:
    """The inputs of a batch of ``padded_rows`` rows, the last of them repeated where there are
    fewer; None unless all parts, which share one key, are packed."""
    requests: list[tuple[PackedInputs, int, int]] = []
    rows = 0
    for item, start, stop in parts:
        inputs = item.inputs
        if type(inputs) is not PackedInputs:
            return None
        requests.append((inputs, start, stop))
        rows += stop - start
    last, _, stop = requests[-1]
    requests += [(last, stop - 1, stop)] * (padded_rows - rows)
    return {
        name: _joined(requests, position, dtype, (padded_rows, *shape))
        for position, (name, dtype, shape) in enumerate(last.key)
    }


def _joined(
    requests: Sequence[tuple[PackedInputs, int, int]],
    position: int,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
) -> Array:
    pieces: list[Any] = [
        packed.data[position] if stop - start == packed.rows else packed.cut(position, start, stop)
        for packed, start, stop in requests
    ]
    if dtype.hasobject:
        return _array(list(chain.from_iterable(pieces)), dtype, shape)
    # A bytearray, so that the function may write to it as to any other batch.
    return np.ndarray(shape, dtype, bytearray().join(pieces))


def _array(values: bytes | list[Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if not isinstance(values, list):
        return np.ndarray(shape, dtype, values)
    return np.fromiter(values, dtype, len(values)).reshape(shape)
