"""Assembling batches and taking answers apart, against the obvious way to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from batching import BatchPolicy, Inputs, Padding, PadInput, aligned_empty
from batching.tensors import Assembler, UnsplittableOutput

Array = NDArray[Any]
DTYPES = ["float32", "float16", "float64", "bool", "int8", "int64", "complex64", "object"]
SIZES = (1, 2, 4, 8, 16, 64)


@dataclass
class Holder:
    inputs: Inputs
    rows: int


Part = tuple[Holder, int, int]


def filled(dtype: str, shape: tuple[int, ...], seed: int) -> Array:
    """An array of values that differ, as far as the dtype allows."""
    numbers = np.random.default_rng(seed).integers(0, 100, shape)
    if dtype == "object":
        texts = np.empty(shape, object)
        for index, number in np.ndenumerate(numbers):
            texts[index] = b"text %d" % number
        return texts
    return numbers.astype(dtype)


@st.composite
def parts_of(draw: st.DrawFn, trailing: Mapping[str, tuple[str, tuple[int, ...]]]) -> list[Part]:
    """Some items with the given dtype and shape per row for each input, some of them in part."""
    parts: list[Part] = []
    for seed in range(draw(st.integers(1, 5))):
        rows = draw(st.integers(1, 6))
        inputs = {
            name: filled(dtype, (rows, *shape), seed * 10 + number)
            for number, (name, (dtype, shape)) in enumerate(trailing.items())
        }
        start = draw(st.integers(0, rows - 1))
        stop = draw(st.integers(start + 1, rows))
        parts.append((Holder(inputs, rows), start, stop))
    return parts


rows_of_inputs = st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(
        st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=3).map(tuple[int, ...])
    ),
    min_size=1,
).flatmap(parts_of)


def stacked(name: str, parts: list[Part]) -> Array:
    return np.concatenate([np.asarray(h.inputs[name])[start:stop] for h, start, stop in parts])


def is_aligned(array: Array) -> bool:
    """Whether TensorFlow takes it without a copy. There is nothing to take of an empty one."""
    return array.size == 0 or (array.ctypes.data % 64 == 0 and array.flags.c_contiguous)


@given(rows_of_inputs, st.sampled_from([(), SIZES]))
def test_stacking(parts: list[Part], sizes: tuple[int, ...]) -> None:
    policy = BatchPolicy(max_batch_size=64, allowed_batch_sizes=sizes)
    batch = Assembler(policy).assemble(parts)
    assert batch.rows == sum(stop - start for _, start, stop in parts)
    assert batch.padded_rows == policy.round_up(batch.rows)
    assert set(batch.inputs) == set(parts[0][0].inputs)
    for name, array in batch.inputs.items():
        expected = stacked(name, parts)
        assert array.dtype == expected.dtype
        assert array.shape == (batch.padded_rows, *expected.shape[1:])
        assert array.dtype.hasobject or is_aligned(array)
        np.testing.assert_array_equal(array[: batch.rows], expected)
        for row in array[batch.rows :]:
            np.testing.assert_array_equal(row, expected[-1])


@given(rows_of_inputs, st.sampled_from([(), SIZES]))
def test_each_part_gets_its_own_rows_back(parts: list[Part], sizes: tuple[int, ...]) -> None:
    assembler = Assembler(BatchPolicy(max_batch_size=64, allowed_batch_sizes=sizes))
    batch = assembler.assemble(parts)
    answers = assembler.split(batch, batch.inputs, parts)
    assert len(answers) == len(parts)
    for (holder, start, stop), answer in zip(parts, answers, strict=True):
        assert set(answer) == set(holder.inputs)
        for name, array in answer.items():
            np.testing.assert_array_equal(array, np.asarray(holder.inputs[name])[start:stop])


@pytest.mark.parametrize(
    "shape", [(), (1,), (7,), (3,), (5,), (4, 0)], ids=["scalar", "1", "7", "short", "long", "4x0"]
)
def test_outputs_without_the_batch_s_rows_cannot_be_split(shape: tuple[int, ...]) -> None:
    assembler = Assembler(BatchPolicy(max_batch_size=4, allowed_batch_sizes=(4,)))
    parts: list[Part] = [(Holder({"x": np.ones((n, 2))}, n), 0, n) for n in (1, 2)]
    batch = assembler.assemble(parts)
    outputs = {"good": np.zeros(4), "bad": np.zeros(shape)}
    if shape == (4, 0):
        assert [part["bad"].shape for part in assembler.split(batch, outputs, parts)] == [
            (1, 0),
            (2, 0),
        ]
        return
    with pytest.raises(UnsplittableOutput, match="output 'bad' has shape"):
        assembler.split(batch, outputs, parts)


def test_inputs_in_another_order_are_stacked_by_name() -> None:
    one, two = np.ones((1, 2)), np.full((1, 3), 2.0)
    parts: list[Part] = [
        (Holder({"a": one, "b": two}, 1), 0, 1),
        (Holder({"b": 2 * two, "a": 2 * one}, 1), 0, 1),
    ]
    batch = Assembler(BatchPolicy()).assemble(parts)
    np.testing.assert_array_equal(batch.inputs["a"], [[1, 1], [2, 2]])
    np.testing.assert_array_equal(batch.inputs["b"], [[2, 2, 2], [4, 4, 4]])


@pytest.mark.parametrize("sizes", [(), (8, 64)], ids=["any-size", "rounded"])
@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (np.float32, [[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        (np.float16, [[0.5], [1.0], [2.0]]),
        (np.int64, [1, 2, 3]),
        (np.bool_, [True, False, True]),
        (object, [b"a", b"bc", b""]),
    ],
)
def test_lists_of_rows(dtype: Any, values: list[Any], sizes: tuple[int, ...]) -> None:
    policy = BatchPolicy(max_batch_size=64, allowed_batch_sizes=sizes)
    parts: list[Part] = [
        (Holder({"x": values[:2]}, 2), 0, 2),
        (Holder({"x": values}, 3), 1, 3),
        (Holder({"x": np.array(values, dtype)}, 3), 2, 3),
    ]
    for chosen in (parts, parts[:2]):
        array = Assembler(policy, {"x": dtype}).assemble(chosen).inputs["x"]
        expected = np.array([*values[:2], *values[1:], values[2]], dtype)[
            : 5 if len(chosen) == 3 else 4
        ]
        assert array.dtype == dtype
        np.testing.assert_array_equal(array[: len(expected)], expected)
        assert len(array) == policy.round_up(len(expected))


def test_as_arrays() -> None:
    sent = np.ones(2, np.float16)
    arrays = Assembler(BatchPolicy(), {"x": np.float32, "y": np.int8}).as_arrays(
        {"x": [1, 2], "y": sent, "z": [1, 2], "s": 7}
    )
    assert arrays["y"] is sent
    dtypes = {name: array.dtype for name, array in arrays.items()}
    assert dtypes == {"x": np.float32, "y": np.float16, "z": np.int64, "s": np.int64}


@pytest.mark.parametrize("sizes", [(), (2, 8)])
@pytest.mark.parametrize("padded", [False, True])
def test_a_whole_item_that_needs_no_change_is_not_copied(
    sizes: tuple[int, ...], padded: bool
) -> None:
    padding = Padding({"x": PadInput()}) if padded else None
    policy = BatchPolicy(max_batch_size=8, allowed_batch_sizes=sizes, padding=padding)
    assembler = Assembler(policy)
    fits = {rows: assembler.fits((Holder({}, rows), 0, rows)) for rows in (2, 3)}
    assert fits == {2: not padded, 3: not padded and not sizes}
    sent = np.ones((2, 3))
    assert assembler.alone((Holder({"x": sent}, 2), 0, 2)).inputs["x"] is sent


@given(st.sampled_from([name for name in DTYPES if name != "object"]), st.lists(st.integers(0, 9)))
def test_aligned_empty(dtype: str, shape: list[int]) -> None:
    array = aligned_empty(tuple(shape[:4]), np.dtype(dtype))
    assert array.shape == tuple(shape[:4])
    assert array.dtype == dtype
    assert is_aligned(array)
    array[...] = 1
    assert array.all()


def test_aligned_empty_of_objects() -> None:
    array = aligned_empty((2, 3), np.dtype(object))
    assert array.tolist() == [[None] * 3] * 2
