"""Requests' arrays to one batch and back: stack, pad, mask, round up, split, trim. numpy only.

Batches (but for those made of lists or of packed rows) are written into memory aligned to 64 bytes,
which TensorFlow takes without a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike

from batching.arrays import Array, Holder, Part, aligned_empty
from batching.filling import Filling
from batching.item import Inputs, Outputs
from batching.packed import BatchOutputs, OutputRows, stack_packed
from batching.policy import BatchPolicy, PadInput


class UnsplittableOutput(Exception):
    """An output has no axis of rows, so answers cannot be told apart."""


@dataclass(slots=True)
class Batch:
    """Arrays that go to the function, and what is needed to take its outputs apart."""

    inputs: dict[str, Array]
    rows: int
    padded_rows: int
    lengths: dict[tuple[str, int], int]
    """The common length of each padded axis."""
    padding_ratio: float


class Assembler:
    """Stacks and pads under one policy. Stateless; usable from several threads at once.

    ``dtypes`` gives the dtype of inputs that come as lists of rows, and of mask and length inputs.
    """

    def __init__(self, policy: BatchPolicy, dtypes: Mapping[str, DTypeLike] | None = None) -> None:
        self._policy = policy
        self._padding = policy.padding
        self._dtypes = {name: np.dtype(dtype) for name, dtype in (dtypes or {}).items()}
        filled = self._padding is not None and self._padding.filled_inputs
        self._filling = Filling(self._padding, self._dtypes) if self._padding and filled else None

    def as_arrays(self, inputs: Inputs) -> dict[str, Array]:
        """Every input as an array of its dtype."""
        dtypes = self._dtypes
        return {
            name: value if isinstance(value, np.ndarray) else np.asarray(value, dtypes.get(name))
            for name, value in inputs.items()
        }

    def assemble(self, parts: Sequence[Part]) -> Batch:
        """One batch of several parts, or of a part that may be padded. Parts share one key."""
        rows = sum([stop - start for _, start, stop in parts])
        padded_rows = self._policy.round_up(rows)
        if self._padding is None:
            packed = stack_packed(parts, padded_rows)
            if packed is not None:
                return Batch(packed, rows, padded_rows, {}, 1 - rows / padded_rows)
        names = self._names(parts)
        lengths = self._common_lengths(parts)
        inputs: dict[str, Array] = {}
        cells = real = 0
        for name in names:
            rule = self._padding.inputs.get(name) if self._padding else None
            if rule is not None:
                array, filled = self._pad(name, rule, parts, padded_rows, lengths)
            else:
                array, filled = self._stack(name, parts, rows, padded_rows)
            if padded_rows > rows:
                array[rows:] = array[rows - 1]
            inputs[name] = array
            cells += array.size
            real += filled
        ratio = 1 - real / cells if cells else 0.0
        if self._filling is not None:
            inputs |= self._filling.of_batch(parts, lengths, rows, padded_rows)
        return Batch(inputs, rows, padded_rows, lengths, ratio)

    def fits(self, part: Part) -> bool:
        """Whether a whole item is a batch as it stands: nothing to pad, nothing to round up."""
        rows = part[0].rows
        return self._padding is None and self._policy.round_up(rows) == rows

    def alone(self, part: Part) -> Batch:
        """The batch of an item that runs as it came, but for mask and length inputs."""
        item, start, stop = part
        inputs = self.as_arrays(item.inputs)
        if stop - start != item.rows:
            inputs = {name: array[start:stop] for name, array in inputs.items()}
        if self._filling is not None:
            inputs |= self._filling.of_one(inputs)
        rows = stop - start
        return Batch(inputs, rows, rows, {}, 0.0)

    def split(self, batch: Batch, outputs: Outputs, parts: Sequence[Part]) -> Sequence[Outputs]:
        """Each part's own rows (as views), trimmed to its own lengths.

        Raises UnsplittableOutput when an output has no axis 0 of the batch's size, or a trimmed
        axis is not as long as the padded input.
        """
        for name, output in outputs.items():
            if output.ndim == 0 or output.shape[0] != batch.padded_rows:
                raise UnsplittableOutput(
                    f"output {name!r} has shape {list(output.shape)}, not {batch.padded_rows} rows"
                )
        shared = BatchOutputs(outputs)
        answers: list[Outputs] = []
        row = 0
        for _, start, stop in parts:
            end = row + stop - start
            answers.append(OutputRows(shared, row, end))
            row = end
        return self._trim(batch, answers, parts)

    def trim_whole(self, batch: Batch, outputs: Outputs, part: Part) -> Outputs:
        """The answer of the only item of a batch without padding rows: nothing is split, so no
        output needs an axis of rows."""
        return self._trim(batch, [outputs], [part])[0]

    def _names(self, parts: Sequence[Part]) -> list[str]:
        """Inputs to stack; masks and lengths are made afterwards."""
        first = list(parts[0][0].inputs)
        if self._padding is None or not self._padding.filled_inputs:
            return first
        filled = self._padding.filled_inputs
        return [name for name in first if name not in filled]

    def _stack(
        self, name: str, parts: Sequence[Part], rows: int, padded_rows: int
    ) -> tuple[Array, int]:
        values: list[Any] = [
            item.inputs[name]
            if stop - start == item.rows
            else cast("Any", item.inputs[name])[start:stop]
            for item, start, stop in parts
        ]
        if set(map(type, values)) == {list}:
            stacked = np.array([row for value in values for row in value], self._dtypes.get(name))
            if padded_rows == rows:
                return stacked, stacked.size
            values = [stacked]
        arrays = [
            value if isinstance(value, np.ndarray) else np.asarray(value, self._dtypes.get(name))
            for value in values
        ]
        first = arrays[0]
        out = aligned_empty((padded_rows, *first.shape[1:]), first.dtype)
        np.concatenate(arrays, out=out[:rows])
        return out, out[:rows].size

    def _common_lengths(self, parts: Sequence[Part]) -> dict[tuple[str, int], int]:
        if self._padding is None:
            return {}
        lengths: dict[tuple[str, int], int] = {}
        for name, rule in self._padding.inputs.items():
            shapes = [np.shape(item.inputs[name]) for item, _, _ in parts if name in item.inputs]
            for axis in rule.axes if shapes else ():
                longest = max(shape[axis] for shape in shapes)
                lengths[name, axis] = rule.common_length(longest)
        return lengths

    def _pad(
        self,
        name: str,
        rule: PadInput,
        parts: Sequence[Part],
        padded_rows: int,
        lengths: Mapping[tuple[str, int], int],
    ) -> tuple[Array, int]:
        arrays = [
            np.asarray(item.inputs[name], self._dtypes.get(name))[start:stop]
            for item, start, stop in parts
        ]
        shape = [padded_rows, *arrays[0].shape[1:]]
        for axis in rule.axes:
            shape[axis] = lengths[name, axis]
        out = aligned_empty(tuple(shape), arrays[0].dtype)
        out[...] = _padding_value(rule, out.dtype)
        row = real = 0
        for array in arrays:
            end = row + array.shape[0]
            out[(slice(row, end), *map(slice, array.shape[1:]))] = array
            real += array.size
            row = end
        return out, real

    def _trim(
        self, batch: Batch, answers: Sequence[Outputs], parts: Sequence[Part]
    ) -> Sequence[Outputs]:
        if self._padding is None or not self._padding.trim or not batch.lengths:
            return answers
        return [
            {name: self._trimmed(name, output, item, batch) for name, output in answer.items()}
            for answer, (item, _, _) in zip(answers, parts, strict=True)
        ]

    def _trimmed(self, name: str, output: Array, item: Holder, batch: Batch) -> Array:
        assert self._padding is not None
        for axis, (source, source_axis) in self._padding.trim.get(name, {}).items():
            if source not in item.inputs:
                continue
            own = np.shape(item.inputs[source])[source_axis]
            common = batch.lengths[source, source_axis]
            if own == common:
                continue
            if output.ndim <= axis or output.shape[axis] != common:
                raise UnsplittableOutput(
                    f"output {name!r} has shape {list(output.shape)}; its trim rule needs "
                    f"{common} entries on axis {axis}, the padded length of {source!r}"
                )
            output = output[(slice(None),) * axis + (slice(own),)]
        return output


def _padding_value(rule: PadInput, dtype: np.dtype[Any]) -> Any:
    if rule.value is not None:
        value = rule.value
        return value.encode() if dtype.hasobject and isinstance(value, str) else value
    return b"" if dtype.hasobject else np.zeros((), dtype)[()]
