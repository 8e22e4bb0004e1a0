"""Outputs of a batch: their names, dtypes and shapes as a text, and their values as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from gateway.hop.frames import BrokenFrame, Buffer
from gateway.hop.values import Shape, pack_array, read_array, read_dtype, read_shape

Arrays = Mapping[str, NDArray[Any]]


class OutputLayout(NamedTuple):
    """What outputs look like."""

    shared: bool
    """They are those of a batch, whose rows are shared out; else the one request has all."""
    columns: tuple[tuple[str, np.dtype[Any], Shape], ...]
    """Name, dtype and shape of a row."""


def describe_outputs(arrays: Arrays, *, shared: bool) -> bytes:
    """The text for outputs that all have an axis 0. Raises TypeError for other dtypes than
    ``values.is_sendable``."""
    return _describe(shared, tuple([(n, a.dtype, a.shape[1:]) for n, a in arrays.items()]))


@lru_cache(1024)
def read_layout(text: bytes) -> OutputLayout:
    """What ``describe_outputs`` described. Raises BrokenFrame."""
    try:
        shared, columns = orjson.loads(text)
        found = tuple((name, read_dtype(d), read_shape(shape)) for name, d, shape in columns)
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise BrokenFrame("no description of outputs") from error
    if type(shared) is not bool or not all(isinstance(name, str) for name, _, _ in found):
        raise BrokenFrame("no description of outputs")
    return OutputLayout(shared, found)


def pack_rows(arrays: Arrays, ranges: Sequence[tuple[int, int]]) -> list[Buffer]:
    """The values of the rows in ``ranges``, in that order, output after output."""
    start, stop = ranges[0][0], ranges[-1][1]
    if sum([end - begin for begin, end in ranges]) == stop - start and _ascend(ranges):
        return [pack_array(array[start:stop]) for array in arrays.values()]
    wanted = [row for begin, end in ranges for row in range(begin, end)]
    return [pack_array(array.take(wanted, axis=0)) for array in arrays.values()]


def read_rows(values: Buffer, layout: OutputLayout, rows: int) -> dict[str, NDArray[Any]]:
    """The arrays. Raises BrokenFrame unless the values are just so many."""
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    for name, dtype, shape in layout.columns:
        if dtype.hasobject:
            arrays[name], at = read_array(values, at, dtype, (rows, *shape))
            continue
        start, at = at, at + rows * prod(shape) * dtype.itemsize
        if at > len(values):
            raise BrokenFrame("outputs are cut")
        arrays[name] = np.ndarray((rows, *shape), dtype, values, start)
    if at != len(values):
        raise BrokenFrame("more values than outputs")
    return arrays


def _ascend(ranges: Sequence[tuple[int, int]]) -> bool:
    """Whether each begins where the one before ended."""
    return all(ranges[i][1] == ranges[i + 1][0] for i in range(len(ranges) - 1))


@lru_cache(1024)
def _describe(shared: bool, columns: tuple[tuple[str, np.dtype[Any], Shape], ...]) -> bytes:
    return orjson.dumps([shared, [(name, dtype.str, shape) for name, dtype, shape in columns]])
