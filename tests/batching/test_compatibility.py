"""Keys: equal exactly when two requests may share a batch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from batching import ALONE, BatchPolicy, IncompatibleItem, Padding, PadInput
from batching.compatibility import describe

Arrays = dict[str, NDArray[Any]]
PLAIN = BatchPolicy()
shapes = st.lists(st.integers(0, 2), max_size=2).map(tuple[int, ...])


@st.composite
def requests(draw: st.DrawFn) -> Arrays:
    rows = draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from("xyz"), min_size=1, unique=True))
    return {
        name: np.zeros((rows, *draw(shapes)), draw(st.sampled_from(["f4", "i4", "?", "O"])))
        for name in names
    }


def stackable(one: Arrays, two: Arrays) -> bool:
    return one.keys() == two.keys() and all(
        one[name].dtype == two[name].dtype and one[name].shape[1:] == two[name].shape[1:]
        for name in one
    )


@given(requests(), requests())
def test_keys_are_equal_exactly_when_rows_can_be_stacked(one: Arrays, two: Arrays) -> None:
    keys = describe(one, PLAIN).key, describe(two, PLAIN).key
    assert (keys[0] == keys[1]) == stackable(one, two)
    if stackable(one, two):
        assert hash(keys[0]) == hash(keys[1])


@given(requests(), st.integers(0, 5))
def test_a_request_of_other_rows_and_input_order_has_the_same_key(
    request_: Arrays, order: int
) -> None:
    names = list(itertools.permutations(request_))
    other = {name: request_[name][:1] for name in names[order % len(names)]}
    assert describe(other, PLAIN).key == describe(request_, PLAIN).key
    assert describe(request_, PLAIN).rows == len(next(iter(request_.values())))


@pytest.mark.parametrize(
    ("shapes", "rows"),
    [
        pytest.param({}, 1, id="no-inputs"),
        pytest.param({"x": ()}, 1, id="scalar"),
        pytest.param({"x": (3, 2), "y": ()}, 3, id="scalar-beside-rows"),
        pytest.param({"y": (), "x": (3, 2)}, 3, id="rows-beside-scalar"),
        pytest.param({"x": (3, 2), "y": (5,)}, 5, id="uneven"),
        pytest.param({"x": (0, 2)}, 1, id="no-rows"),
        pytest.param({"x": (0, 2), "y": (0,)}, 1, id="no-rows-twice"),
        pytest.param({"x": (2,), "y": (0,)}, 2, id="no-rows-beside-rows"),
    ],
)
@pytest.mark.parametrize("padding", [None, Padding({"x": PadInput()})], ids=["plain", "padded"])
def test_alone(shapes: dict[str, tuple[int, ...]], rows: int, padding: Padding | None) -> None:
    inputs = {name: np.zeros(shape) for name, shape in shapes.items()}
    assert describe(inputs, BatchPolicy(padding=padding)) == (rows, ALONE, 1)


def test_everybody_is_alone_when_batching_is_off() -> None:
    assert describe({"x": np.zeros((3, 2))}, BatchPolicy(enabled=False)) == (3, ALONE, 1)


def padded(**rules: PadInput) -> BatchPolicy:
    return BatchPolicy(padding=Padding(rules))


@pytest.mark.parametrize(
    ("one", "two", "equal"),
    [
        pytest.param({"x": (1, 5)}, {"x": (1, 9)}, True, id="padded-axis"),
        pytest.param({"x": (1, 5, 2)}, {"x": (1, 9, 2)}, True, id="beside-a-fixed-axis"),
        pytest.param({"x": (1, 5, 2)}, {"x": (1, 5, 3)}, False, id="fixed-axis"),
        pytest.param({"x": (1, 5)}, {"x": (1, 5, 1)}, False, id="rank"),
        pytest.param({"x": (1, 5), "y": (1, 5)}, {"x": (1, 5), "y": (1, 6)}, False, id="other"),
        pytest.param({"x": (1, 5), "m": (1, 5)}, {"x": (1, 9)}, True, id="mask-is-optional"),
        pytest.param({"x": (1, 5), "n": (1,)}, {"x": (1, 9)}, True, id="length-is-optional"),
        pytest.param({"x": (1, 5), "y": (1,)}, {"x": (1, 5)}, False, id="others-are-not"),
    ],
)
def test_keys_of_padded_inputs(
    one: dict[str, tuple[int, ...]], two: dict[str, tuple[int, ...]], equal: bool
) -> None:
    policy = padded(x=PadInput(mask_input="m", length_input="n"))
    keys = [
        describe({name: np.zeros(shape) for name, shape in shapes.items()}, policy).key
        for shapes in (one, two)
    ]
    assert (keys[0] == keys[1]) == equal


def test_keys_of_padded_inputs_know_dtypes_and_no_order() -> None:
    policy = padded(x=PadInput())
    one, two = np.zeros((1, 5), np.float32), np.zeros((1, 3), np.int32)
    keys = [
        describe(dict(sent), policy).key
        for sent in (
            [("x", one), ("y", two)],
            [("y", two), ("x", one)],
            [("x", two), ("y", two)],
            [("x", one), ("y", one[:, :3])],
        )
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("shapes", "length"),
    [
        ({"x": (2, 7)}, 7),
        ({"x": (2, 7), "z": (2, 3, 4)}, 12),
        ({"x": (2, 7), "z": (2, 2, 2)}, 7),
        ({"x": (2, 0)}, 1),
        ({"y": (2, 50)}, 1),
    ],
)
def test_length_is_that_of_the_longest_padded_input(
    shapes: dict[str, tuple[int, ...]], length: int
) -> None:
    policy = padded(x=PadInput(), z=PadInput(axes=(1, 2)))
    inputs = {name: np.zeros(shape) for name, shape in shapes.items()}
    assert describe(inputs, policy)[::2] == (2, length)


@pytest.mark.parametrize(
    ("rules", "shapes", "message"),
    [
        pytest.param(
            {"x": PadInput()},
            {"x": (3,)},
            "input 'x': padding needs axis 1, but its shape is [3]",
            id="axis",
        ),
        pytest.param(
            {"x": PadInput(axes=(1, 3))},
            {"x": (3, 1, 1)},
            "input 'x': padding needs axis 3, but its shape is [3, 1, 1]",
            id="last-axis",
        ),
        pytest.param(
            {"x": PadInput(mask_input="m")},
            {"x": (3, 5), "m": (3, 6)},
            "input 'm': expected rows of shape [5], as input 'x' has, got [6]",
            id="mask",
        ),
        pytest.param(
            {"x": PadInput(mask_input="m")},
            {"x": (3, 5), "m": (3,)},
            "input 'm': expected rows of shape [5], as input 'x' has, got []",
            id="mask-without-axis",
        ),
        pytest.param(
            {"x": PadInput(length_input="n")},
            {"x": (3, 5), "n": (3, 1)},
            "input 'n': expected rows of shape [], as input 'x' has, got [1]",
            id="length",
        ),
        pytest.param(
            {"x": PadInput(mask_input="m"), "z": PadInput(mask_input="m")},
            {"x": (3, 5), "z": (3, 6), "m": (3, 5)},
            "input 'm': expected rows of shape [6], as input 'z' has, got [5]",
            id="shared-mask-sent",
        ),
    ],
)
def test_incompatible(
    rules: dict[str, PadInput], shapes: dict[str, tuple[int, ...]], message: str
) -> None:
    inputs = {name: np.zeros(shape) for name, shape in shapes.items()}
    with pytest.raises(IncompatibleItem) as refused:
        describe(inputs, padded(**rules))
    assert str(refused.value) == message


@pytest.mark.parametrize("rule", [PadInput(mask_input="m"), PadInput(length_input="m")])
def test_inputs_that_share_a_mask_or_length_must_agree(rule: PadInput) -> None:
    policy = padded(x=rule, z=rule)
    assert describe({"x": np.zeros((3, 5)), "z": np.zeros((3, 5))}, policy).rows == 3
    with pytest.raises(IncompatibleItem):
        describe({"x": np.zeros((3, 5)), "z": np.zeros((3, 6))}, policy)
