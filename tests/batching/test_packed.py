"""Packed requests and rows of a batch: what arrays would do, without the arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from batching import (
    Batcher,
    BatchPolicy,
    DevicePool,
    InlineExecutor,
    OutputRows,
    PackedInputs,
    Padding,
    PadInput,
)
from batching.compatibility import describe
from batching.packed import BatchOutputs
from batching.tensors import Assembler
from tests.batching.test_tensors import Holder, filled

Arrays = dict[str, NDArray[Any]]
DTYPES = ["float32", "int64", "bool", "object"]
columns = st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(
        st.sampled_from(DTYPES), st.lists(st.integers(1, 3), max_size=2).map(tuple[int, ...])
    ),
    min_size=1,
)
Columns = dict[str, tuple[str, tuple[int, ...]]]


def arrays_of(form: Columns, rows: int, seed: int) -> Arrays:
    return {
        name: filled(dtype, (rows, *shape), seed + number)
        for number, (name, (dtype, shape)) in enumerate(form.items())
    }


def packed(arrays: Arrays) -> PackedInputs:
    names = sorted(arrays)
    data: list[bytes | list[Any]] = [
        arrays[name].reshape(-1).tolist()
        if arrays[name].dtype.hasobject
        else arrays[name].tobytes()
        for name in names
    ]
    key = tuple((name, arrays[name].dtype, arrays[name].shape[1:]) for name in names)
    return PackedInputs(data, key, len(next(iter(arrays.values()))))


def _flat(array: NDArray[Any]) -> bytes | list[Any]:
    return array.reshape(-1).tolist() if array.dtype.hasobject else array.tobytes()


def assert_same(left: Any, right: Any) -> None:
    assert left.keys() == right.keys()
    for name in right:
        assert left[name].dtype == right[name].dtype
        assert left[name].shape == right[name].shape
        assert left[name].tolist() == right[name].tolist()


@given(columns, st.integers(1, 3))
def test_a_mapping_of_arrays(form: Columns, rows: int) -> None:
    arrays = arrays_of(form, rows, 0)
    inputs = packed(arrays)
    assert_same(inputs, arrays)
    assert (len(inputs), sorted(inputs)) == (len(arrays), sorted(arrays))
    assert inputs.key == describe(arrays, BatchPolicy()).key
    assert "other" not in inputs


@given(columns, st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_a_batch_is_that_of_the_arrays(form: Columns, rows: list[int], data: st.DataObject) -> None:
    """Also of parts of requests, rounded up, and with requests of both kinds in one batch."""
    policy = BatchPolicy(max_batch_size=32, allowed_batch_sizes=(4, 8, 32))
    assembler = Assembler(policy)
    requests = [arrays_of(form, count, 10 * i) for i, count in enumerate(rows)]
    ranges: list[tuple[int, int]] = []
    for count in rows:
        start = data.draw(st.integers(0, count - 1))
        ranges.append((start, data.draw(st.integers(start + 1, count))))
    plain = data.draw(st.just(set()) | st.sets(st.sampled_from(range(len(rows)))))

    def parts(kept_plain: set[int]) -> list[tuple[Any, int, int]]:
        return [
            (Holder(one if i in kept_plain else packed(one), rows[i]), *ranges[i])
            for i, one in enumerate(requests)
        ]

    expected = assembler.assemble(parts(set(range(len(rows)))))
    batch = assembler.assemble(parts(plain))
    assert_same(batch.inputs, expected.inputs)
    assert (batch.rows, batch.padded_rows) == (expected.rows, expected.padded_rows)
    assert batch.padding_ratio == pytest.approx(expected.padding_ratio)
    if not plain:
        assert all(array.flags.writeable for array in batch.inputs.values())


def test_objects_that_are_sequences_stay_whole() -> None:
    inputs = PackedInputs(([(1, 2), (3, 4)],), (("x", np.dtype(object), ()),), 2)
    assert inputs["x"].tolist() == [(1, 2), (3, 4)]


def double(inputs: Arrays) -> Arrays:
    return {"y": inputs["x"] * 2, "z": inputs["x"].sum(axis=1)}


def request_of(value: float, rows: int = 1) -> PackedInputs:
    return packed({"x": np.full((rows, 2), value, np.float32)})


async def test_requests_share_a_batch_whatever_their_kind() -> None:
    sizes: list[int] = []

    def run(inputs: Arrays) -> Arrays:
        sizes.append(len(inputs["x"]))
        return double(inputs)

    pool = DevicePool([InlineExecutor()])
    async with Batcher(run, pool) as batcher:
        items = [
            batcher.submit(request_of(1)),
            batcher.submit({"x": np.full((2, 2), 2, np.float32)}),
            batcher.submit(request_of(3, rows=2)),
        ]
        answers = [await item for item in items]
    assert sizes == [5]
    assert [answer["y"].tolist() for answer in answers] == [[[2, 2]], [[4, 4]] * 2, [[6, 6]] * 2]
    assert [answer["z"].tolist() for answer in answers] == [[2], [4, 4], [6, 6]]
    assert all(type(answer) is OutputRows for answer in answers)
    pool.close()


async def test_a_packed_request_alone_split_or_padded() -> None:
    pool = DevicePool([InlineExecutor()])
    policies = [
        BatchPolicy(enabled=False),
        BatchPolicy(max_batch_size=2),
        BatchPolicy(allowed_batch_sizes=(4, 32)),
        BatchPolicy(padding=Padding({"x": PadInput()})),
    ]
    for policy in policies:
        async with Batcher(double, pool, policy) as batcher:
            answer = await batcher.submit(request_of(1.5, rows=5))
        assert answer["y"].tolist() == [[3, 3]] * 5
    pool.close()


def test_rows_of_a_batch_are_views() -> None:
    arrays = {"y": np.arange(8).reshape(4, 2), "z": np.arange(4)}
    batch = BatchOutputs(arrays)
    rows = OutputRows(batch, 1, 3)
    assert dict(rows).keys() == arrays.keys()
    assert (rows["y"].tolist(), rows["z"].tolist()) == ([[2, 3], [4, 5]], [1, 2])
    assert rows.size == rows["y"].size + rows["z"].size
    assert np.shares_memory(rows["y"], arrays["y"])
    with pytest.raises(KeyError):
        rows["x"]
    rows.batch.memo["seen"] = True
    assert OutputRows(batch, 0, 1).batch.memo == {"seen": True}
