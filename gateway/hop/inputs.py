"""A request's inputs: what many requests have in common as a text, and each one's values as bytes.

dtypes are not sent. Both sides know them from the signature, which they agree on by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import orjson

from batching import Inputs, PackedInputs
from gateway.hop.frames import BrokenFrame, Buffer
from gateway.hop.values import Shape, pack_array, pack_strings, read_array, read_shape, read_strings

Layout = tuple[bool, tuple[tuple[str, Shape], ...]]
"""Whether inputs are packed, and by name their shapes, which are those of a row if so."""

Key = tuple[tuple[str, np.dtype[Any], Shape], ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What a group of requests has in common."""

    name: str
    """Of the model."""
    version: int | None
    label: str | None
    signature: str
    digest: str
    """Of the signature that the inputs were read by (``signatures.digest``)."""
    rows: bool
    """Answers are in row form; else in column form."""
    layout: Layout

    def text(self) -> bytes:
        packed, shapes = self.layout
        target = (self.name, self.version, self.label, self.signature, self.digest)
        return orjson.dumps([*target, self.rows, packed, shapes])


@lru_cache(1024)
def read_description(text: bytes) -> Description:
    """The description that a text is. Raises BrokenFrame."""
    try:
        name, version, label, signature, digest, rows, packed, shapes = orjson.loads(text)
        inputs = tuple((_text(alias), read_shape(sizes)) for alias, sizes in shapes)
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise BrokenFrame("no description of requests") from error
    if not isinstance(version, int | None) or not isinstance(label, str | None):
        raise BrokenFrame("no version and no label")
    if type(rows) is not bool or type(packed) is not bool:
        raise BrokenFrame("no form")
    if packed and not all(prod(shape) for _, shape in inputs):
        raise BrokenFrame("a packed row without values")
    target = _text(name), version, label, _text(signature), _text(digest)
    return Description(*target, rows, (packed, inputs))


def layout_of(inputs: Inputs) -> Layout:
    """How the values of a request lie."""
    if type(inputs) is PackedInputs:
        return True, tuple([(name, shape) for name, _, shape in inputs.key])
    return False, tuple([(name, np.shape(array)) for name, array in inputs.items()])


def pack(inputs: Inputs) -> tuple[int, Sequence[Buffer]]:
    """Number of rows, if the inputs are packed, and their values one behind the other.

    Arrays must be of the signature's dtypes. Raises TypeError for objects other than ``bytes``.
    """
    if type(inputs) is PackedInputs:
        return inputs.rows, [
            pack_strings(values) if isinstance(values, list) else values for values in inputs.data
        ]
    return 0, [pack_array(np.asarray(array)) for array in inputs.values()]


class InputReader:
    """Reads the inputs of requests of one layout."""

    def __init__(self, layout: Layout, dtypes: Mapping[str, np.dtype[Any]]) -> None:
        """Raises BrokenFrame for an input that has no dtype."""
        self._packed, shapes = layout
        try:
            self._key: Key = tuple([(name, dtypes[name], shape) for name, shape in shapes])
        except KeyError as error:
            raise BrokenFrame("an input that the signature does not have") from error
        self._row_bytes = 0
        """Of the only input, when that is packed numbers: the commonest by far."""
        if self._packed and len(self._key) == 1 and not self._key[0][1].hasobject:
            _, dtype, shape = self._key[0]
            self._row_bytes = prod(shape) * dtype.itemsize

    def read(self, data: Buffer, rows: int) -> Inputs:
        """The inputs of one request. Raises BrokenFrame unless the data is what they need."""
        if self._row_bytes:
            if rows < 1 or len(data) != rows * self._row_bytes:
                raise BrokenFrame("rows of another length")
            return PackedInputs((_bytes(data),), self._key, rows)
        inputs, stop = self._unpacked(data, rows) if self._packed else self._arrays(data)
        if stop != len(data):
            raise BrokenFrame("more values than inputs")
        return inputs

    def _unpacked(self, data: Buffer, rows: int) -> tuple[Inputs, int]:
        if rows < 1 or not self._key:
            raise BrokenFrame("no rows")
        found: list[bytes | list[Any]] = []
        at = 0
        for _, dtype, shape in self._key:
            values: bytes | list[Any]
            if dtype.hasobject:
                values, at = read_strings(data, at, rows * prod(shape))
            else:
                start, at = at, at + rows * prod(shape) * dtype.itemsize
                values = _bytes(data[start:at])
            found.append(values)
        return PackedInputs(found, self._key, rows), at

    def _arrays(self, data: Buffer) -> tuple[Inputs, int]:
        arrays = {}
        at = 0
        for name, dtype, shape in self._key:
            arrays[name], at = read_array(data, at, dtype, shape)
        return arrays, at


def _bytes(data: Buffer) -> bytes:
    return data if isinstance(data, bytes) else bytes(data)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BrokenFrame("no text")
    return value
