"""Padding, masks, lengths and trimming, against the obvious way to do it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from batching import BatchPolicy, Padding, PadInput
from batching.tensors import Assembler, Batch, UnsplittableOutput
from tests.batching.test_tensors import Holder, Part, filled, is_aligned

Array = NDArray[Any]
SIZES = (2, 8, 64)


def policy_for(padding: Padding, sizes: tuple[int, ...] = ()) -> BatchPolicy:
    return BatchPolicy(max_batch_size=64, allowed_batch_sizes=sizes, padding=padding)


def whole(*inputs: dict[str, Any]) -> list[Part]:
    return [(Holder(sent, len(sent["x"])), 0, len(sent["x"])) for sent in inputs]


def assemble(padding: Padding, parts: list[Part], **dtypes: Any) -> Batch:
    return Assembler(policy_for(padding), dtypes).assemble(parts)


@st.composite
def uneven(draw: st.DrawFn, dtype: str, fixed: int, rank: int) -> list[Part]:
    """Items whose rows have lengths of their own on each but the last axis."""
    parts: list[Part] = []
    for seed in range(draw(st.integers(1, 4))):
        rows = draw(st.integers(1, 4))
        lengths = [draw(st.integers(0, 9)) for _ in range(rank)]
        start = draw(st.integers(0, rows - 1))
        inputs = {"x": filled(dtype, (rows, *lengths, fixed), seed)}
        parts.append((Holder(inputs, rows), start, rows))
    return parts


cases = st.tuples(
    st.sampled_from(["float32", "float16", "bool", "int64", "object"]),
    st.integers(1, 2),
    st.sampled_from([(), (4,), (2, 6, 9)]),
    st.sampled_from([(), SIZES]),
).flatmap(lambda case: st.tuples(st.just(case), uneven(case[0], 2, case[1])))

Case = tuple[tuple[str, int, tuple[int, ...], tuple[int, ...]], list[Part]]


def own_rows(part: Part) -> Array:
    holder, start, stop = part
    return np.asarray(holder.inputs["x"])[start:stop]


@given(cases)
def test_padding_and_trimming_back(case: Case) -> None:
    (dtype, rank, buckets, sizes), parts = case
    axes = tuple(range(1, rank + 1))
    trim = {"y": {axis: ("x", axis) for axis in axes}}
    padding = Padding({"x": PadInput(axes, buckets=buckets)}, trim)
    assembler = Assembler(policy_for(padding, sizes))
    batch = assembler.assemble(parts)
    array = batch.inputs["x"]
    expected = padded(parts, padding.inputs["x"], b"" if dtype == "object" else 0)
    assert array.dtype == dtype
    assert dtype == "object" or is_aligned(array)
    np.testing.assert_array_equal(array[: batch.rows], expected)
    answers = assembler.split(batch, {"y": array}, parts)
    for part, answer in zip(parts, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], own_rows(part))
    real = sum(own_rows(part).size for part in parts)
    assert batch.padding_ratio == pytest.approx(1 - real / array.size if array.size else 0.0)


def padded(parts: list[Part], rule: PadInput, value: Any) -> Array:
    """Each row written into its own corner of an array of the padding value."""
    own = [own_rows(part) for part in parts]
    shape = list(own[0].shape)
    shape[0] = sum(len(array) for array in own)
    for axis in rule.axes:
        shape[axis] = rule.common_length(max(array.shape[axis] for array in own))
    out = np.empty(shape, own[0].dtype)
    out.fill(value)
    for index, row in enumerate(row for array in own for row in array):
        corner: tuple[Any, ...] = (index, *map(slice, row.shape))
        out[corner] = row
    return out


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("float32", None, 0.0),
        ("float32", -1e9, np.float32(-1e9)),
        ("int64", 7, 7),
        ("bool", None, False),
        ("bool", True, True),
        ("object", None, b""),
        ("object", b"<pad>", b"<pad>"),
        ("object", "<pad>", b"<pad>"),
        ("S5", None, b""),
        ("U5", None, ""),
        ("U5", "<pad>", "<pad>"),
    ],
)
def test_padding_value(dtype: str, value: Any, expected: Any) -> None:
    parts = whole({"x": np.ones((1, 3)).astype(dtype)}, {"x": np.ones((1, 1)).astype(dtype)})
    array = assemble(Padding({"x": PadInput(value=value)}), parts).inputs["x"]
    assert array.dtype == dtype
    assert array[1, 1:].tolist() == [expected] * 2


def test_each_input_has_its_own_value_and_length() -> None:
    rules = {"x": PadInput(value=1), "z": PadInput(value=2, buckets=(4,))}
    parts = whole(
        {"x": np.zeros((1, 1)), "z": np.zeros((1, 2)), "w": np.zeros((1, 2))},
        {"x": np.zeros((1, 3)), "z": np.zeros((1, 1)), "w": np.ones((1, 2))},
    )
    inputs = assemble(Padding(rules), parts).inputs
    assert inputs["x"].tolist() == [[0, 1, 1], [0, 0, 0]]
    assert inputs["z"].tolist() == [[0, 0, 2, 2], [0, 2, 2, 2]]
    assert inputs["w"].tolist() == [[0, 0], [1, 1]]


MASKED = Padding({"x": PadInput(mask_input="mask", length_input="length", buckets=(4,))})


def test_mask_and_length_are_made() -> None:
    parts = whole({"x": np.ones((2, 1))}, {"x": np.ones((1, 3))})
    inputs = assemble(MASKED, parts).inputs
    assert inputs["mask"].tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]
    assert inputs["length"].tolist() == [1, 1, 3]
    assert {inputs[name].dtype for name in ("mask", "length")} == {np.dtype(np.int32)}


def test_mask_and_length_that_were_sent_are_kept_beside_made_ones() -> None:
    sent = {"x": np.ones((1, 3)), "mask": np.array([[1, 0, 1]]), "length": np.array([2])}
    inputs = assemble(MASKED, whole(sent, {"x": np.ones((1, 2))})).inputs
    assert inputs["mask"].tolist() == [[1, 0, 1, 0], [1, 1, 0, 0]]
    assert inputs["length"].tolist() == [2, 2]


def test_mask_dtype_is_the_given_one() -> None:
    sent = {"x": np.ones((1, 3)), "mask": np.array([[0.5, 1.0, 0.0]], np.float32)}
    parts = whole(sent, {"x": np.ones((1, 1))})
    inputs = assemble(MASKED, parts, mask="float32", length="int64").inputs
    assert inputs["mask"].dtype == np.float32
    assert inputs["length"].dtype == np.int64
    assert inputs["mask"].tolist() == [[0.5, 1, 0, 0], [1, 0, 0, 0]]


def test_mask_of_a_split_item_is_that_of_its_rows() -> None:
    sent = {"x": np.ones((3, 2)), "mask": np.array([[1, 0], [0, 1], [1, 1]])}
    parts: list[Part] = [(Holder(sent, 3), 1, 3)]
    assert assemble(MASKED, parts).inputs["mask"].tolist() == [[0, 1, 0, 0], [1, 1, 0, 0]]


def test_rows_added_by_rounding_repeat_a_real_row_with_its_mask() -> None:
    parts = whole({"x": np.ones((1, 4))}, {"x": np.full((2, 1), 9.0)})
    assembler = Assembler(policy_for(MASKED, SIZES))
    batch = assembler.assemble(parts)
    assert (batch.rows, batch.padded_rows) == (3, 8)
    for row in range(3, 8):
        assert batch.inputs["x"][row].tolist() == [9, 0, 0, 0]
        assert batch.inputs["mask"][row].tolist() == [1, 0, 0, 0]
        assert batch.inputs["length"][row] == 1
    answers = assembler.split(batch, {"y": np.arange(8)}, parts)
    assert [answer["y"].tolist() for answer in answers] == [[0], [1, 2]]


@pytest.mark.parametrize("sent", [None, [[1, 0, 1]]], ids=["made", "sent"])
def test_an_item_that_runs_alone_gets_mask_and_length_unpadded(sent: Any) -> None:
    inputs = {"x": np.ones((1, 3))} | ({} if sent is None else {"mask": np.array(sent)})
    [part] = whole(inputs)
    batch = Assembler(policy_for(MASKED, SIZES)).alone(part)
    assert batch.inputs["x"].shape == (1, 3)
    assert batch.inputs["mask"].tolist() == (sent or [[1, 1, 1]])
    assert batch.inputs["length"].tolist() == [3]


def test_an_item_of_uneven_inputs_gets_a_mask_of_the_rows_it_describes() -> None:
    sent = {"x": np.ones((2, 3)), "z": np.ones(5)}
    batch = Assembler(policy_for(MASKED)).alone((Holder(sent, 5), 0, 5))
    assert batch.inputs["mask"].tolist() == [[1, 1, 1]] * 2
    assert batch.inputs["length"].tolist() == [3, 3]


def test_an_item_that_runs_alone_keeps_a_mask_of_other_rows_as_it_came() -> None:
    sent = {"x": np.ones((2, 3)), "mask": np.ones((3, 5))}
    [part] = whole(sent)
    np.testing.assert_array_equal(
        Assembler(policy_for(MASKED)).alone(part).inputs["mask"], sent["mask"]
    )


def test_a_mask_is_not_made_for_an_input_that_was_not_sent() -> None:
    parts: list[Part] = [(Holder({"z": np.ones((n, 2))}, n), 0, n) for n in (1, 2)]
    assembler = Assembler(policy_for(MASKED))
    assert set(assembler.assemble(parts).inputs) == {"z"}
    assert set(assembler.alone(parts[0]).inputs) == {"z"}


def test_an_output_that_is_not_as_long_as_its_rule_says_cannot_be_trimmed() -> None:
    padding = Padding({"x": PadInput()}, trim={"y": {1: ("x", 1)}})
    assembler = Assembler(policy_for(padding))
    parts = whole({"x": np.ones((1, 2))}, {"x": np.ones((1, 5))})
    batch = assembler.assemble(parts)
    with pytest.raises(UnsplittableOutput, match=r"5 entries on axis 1, the padded length of 'x'"):
        assembler.split(batch, {"y": np.ones((2, 4))}, parts)
    with pytest.raises(UnsplittableOutput, match="'y' has shape"):
        assembler.split(batch, {"y": np.ones(2)}, parts)


def test_an_output_that_needs_no_trimming_may_have_any_shape() -> None:
    rules = {"x": PadInput(), "z": PadInput()}
    assembler = Assembler(policy_for(Padding(rules, trim={"y": {1: ("x", 1)}})))
    equal = whole({"x": np.ones((1, 5))}, {"x": np.ones((1, 5))})
    answers = assembler.split(assembler.assemble(equal), {"y": np.ones(2)}, equal)
    assert [answer["y"].shape for answer in answers] == [(1,), (1,)]
    others: list[Part] = [(Holder({"z": np.ones((1, n))}, 1), 0, 1) for n in (2, 3)]
    answers = assembler.split(assembler.assemble(others), {"y": np.ones((2, 9))}, others)
    assert [answer["y"].shape for answer in answers] == [(1, 9), (1, 9)]


def test_outputs_without_a_rule_are_not_trimmed() -> None:
    padding = Padding({"x": PadInput()}, trim={"y": {1: ("x", 1)}})
    assembler = Assembler(policy_for(padding))
    parts = whole({"x": np.ones((1, 2))}, {"x": np.ones((1, 5))})
    batch = assembler.assemble(parts)
    answers = assembler.split(batch, {"y": np.ones((2, 5, 5)), "z": np.ones((2, 5))}, parts)
    assert [part["y"].shape for part in answers] == [(1, 2, 5), (1, 5, 5)]
    assert [part["z"].shape for part in answers] == [(1, 5), (1, 5)]


def test_a_whole_item_is_trimmed_back_from_its_bucket() -> None:
    padding = Padding({"x": PadInput(buckets=(8,))}, trim={"y": {1: ("x", 1)}})
    assembler = Assembler(policy_for(padding))
    [part] = whole({"x": np.ones((2, 5))})
    batch = assembler.assemble([part])
    outputs = {"y": batch.inputs["x"], "total": np.float32(3)}
    answer = assembler.trim_whole(batch, {k: np.asarray(v) for k, v in outputs.items()}, part)
    np.testing.assert_array_equal(answer["y"], np.ones((2, 5)))
    assert answer["total"] == 3
