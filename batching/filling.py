"""Mask and length inputs: made for the requests that do not send them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from batching.arrays import Array, Part, aligned_empty
from batching.item import Inputs
from batching.policy import Padding


class _Rule(NamedTuple):
    name: str
    """The input to make."""
    source: str
    axis: int
    """What it describes: an axis of a padded input."""
    is_mask: bool


class Filling:
    """Makes the mask and length inputs of one padding policy. Stateless."""

    def __init__(self, padding: Padding, dtypes: Mapping[str, np.dtype[Any]]) -> None:
        self._rules = tuple(_rules(padding))
        self._dtypes = dtypes

    def of_one(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """For a request that runs unpadded: everything is real. What it sent itself stays."""
        made: dict[str, Array] = {}
        for rule in self._rules:
            source = inputs.get(rule.source)
            if rule.name in inputs or source is None or source.ndim <= rule.axis:
                continue
            rows, length = source.shape[0], source.shape[rule.axis]
            shape = (rows, length) if rule.is_mask else (rows,)
            made[rule.name] = np.full(shape, 1 if rule.is_mask else length, self._dtype(rule))
        return made

    def of_batch(
        self,
        parts: Sequence[Part],
        lengths: Mapping[tuple[str, int], int],
        rows: int,
        padded_rows: int,
    ) -> dict[str, Array]:
        """For a batch of ``rows`` rows, padded to the common ``lengths`` and to ``padded_rows``."""
        made: dict[str, Array] = {}
        for rule in self._rules:
            length = lengths.get((rule.source, rule.axis))
            if length is None:
                continue
            shape = (padded_rows, length) if rule.is_mask else (padded_rows,)
            out = made[rule.name] = aligned_empty(shape, self._dtype(rule))
            out[...] = 0
            row = 0
            for item, start, stop in parts:
                end = row + stop - start
                _write(out[row:end], rule, item.inputs, start, stop)
                row = end
            out[rows:] = out[rows - 1]
        return made

    def _dtype(self, rule: _Rule) -> np.dtype[Any]:
        return self._dtypes.get(rule.name, np.dtype(np.int32))


def _rules(padding: Padding) -> Iterator[_Rule]:
    for source, pad in padding.inputs.items():
        if pad.mask_input is not None:
            yield _Rule(pad.mask_input, source, pad.axes[0], is_mask=True)
        if pad.length_input is not None:
            yield _Rule(pad.length_input, source, pad.axes[0], is_mask=False)


def _write(out: Array, rule: _Rule, inputs: Inputs, start: int, stop: int) -> None:
    """One part's rows: as sent, else as the source's length says."""
    if rule.name in inputs:
        own = np.asarray(inputs[rule.name])[start:stop]
        out[(slice(None), *map(slice, own.shape[1:]))] = own
        return
    length = np.shape(inputs[rule.source])[rule.axis]
    if rule.is_mask:
        out[:, :length] = 1
    else:
        out[:] = length
