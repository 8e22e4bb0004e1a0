"""Raw tensors: every datatype there and back, and whatever else the bytes may be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.errors import Code, ServingError
from gateway.oip.binary import read_tensor, tensor_bytes
from gateway.oip.datatypes import DATATYPES, Datatype, check_shape
from tests.oip.models import SAMPLES, attempt

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
NUMBERS = [datatype for datatype in DATATYPES.values() if not datatype.is_bytes]
BYTES = DATATYPES["BYTES"]


@given(st.data(), st.sampled_from(NUMBERS), SHAPES)
def test_numbers_come_back_bit_by_bit(
    data: st.DataObject, datatype: Datatype, shape: tuple[int, ...]
) -> None:
    size = math.prod(shape) * datatype.itemsize
    raw = data.draw(st.binary(min_size=size, max_size=size))
    if datatype.name == "BOOL":
        raw = bytes(byte & 1 for byte in raw)
    array = read_tensor(raw, datatype, shape, "x")
    assert (array.shape, array.dtype) == (shape, datatype.dtype)
    assert tensor_bytes(array, datatype) == raw


@given(hnp.arrays(object, SHAPES, elements=st.binary(max_size=9), fill=st.nothing()))
def test_bytes_come_back(array: np.ndarray) -> None:
    raw = tensor_bytes(array, BYTES)
    back = read_tensor(raw, BYTES, array.shape, "x")
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


@given(st.binary(max_size=40), st.sampled_from(list(DATATYPES.values())), SHAPES)
def test_random_bytes_raise_nothing_but_our_error(
    raw: bytes, datatype: Datatype, shape: tuple[int, ...]
) -> None:
    array = attempt(lambda: read_tensor(raw, datatype, shape, "input 'x'"))
    if isinstance(array, ServingError):
        assert array.code is Code.INVALID_ARGUMENT
        assert "input 'x'" in array.message
    else:
        assert tensor_bytes(array, datatype) == raw


def test_the_layout_of_bytes() -> None:
    raw = tensor_bytes(np.array([b"ab", ""], object), BYTES)
    assert raw == bytes.fromhex("02000000 6162 00000000")


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_at_odd_offsets(name: str) -> None:
    """Where values are not aligned they are copied."""
    datatype, array = DATATYPES[name], SAMPLES[name]
    raw = b"!" + tensor_bytes(array, datatype)
    back = read_tensor(memoryview(raw)[1:], datatype, array.shape, "x")
    assert back.flags.aligned
    assert back.tolist() == array.tolist()


def test_an_aligned_tensor_is_a_view() -> None:
    raw = np.arange(8, dtype=np.float32).tobytes()
    assert not read_tensor(raw, DATATYPES["FP32"], (2, 4), "x").flags.owndata


REFUSALS = {
    "too few": (b"\0" * 7, "FP32", (2,), "input byte size mismatch for x: FP32 of shape [2] takes"
                " 8 bytes, got 7"),
    "too many": (b"\0" * 9, "FP32", (2,), "takes 8 bytes, got 9"),
    "huge shape": (b"", "FP32", (2**40, 2**20), "takes 4611686018427387904 bytes, got 0"),
    "no room for lengths": (b"\0" * 7, "BYTES", (2,), "2 BYTES elements take at least 8 bytes"),
    "many elements": (b"", "BYTES", (2**61,), "BYTES elements take at least"),
    "length past the end": (b"\x05\0\0\0abc", "BYTES", (1,), "element 0 takes 5 bytes, but 3"),
    "length of 4 GB": (b"\xff" * 4, "BYTES", (1,), "BYTES element 0 takes 4294967295 bytes"),
    "second length cut": (b"\x01\0\0\0a\x01\0\0", "BYTES", (2,), "BYTES element 1 takes 4 bytes"),
    "bytes left": (b"\0\0\0\0!", "BYTES", (1,), "1 bytes follow the last BYTES element"),
    "not 0 or 1": (b"\x02", "BOOL", (1,), "x must be BOOL: bytes that are 0 or 1"),
    "sizes beside 0": (b"", "FP32", (0, 2**61, 1), "too large"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "datatype", "shape", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(raw: bytes, datatype: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ServingError) as caught:
        read_tensor(raw, DATATYPES[datatype], shape, "x")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert message in caught.value.message


SHAPE_REFUSALS = {
    "negative": ([2, -1], "x has a negative dimension: [2,-1]"),
    "overflow": ([2**32, 2**32], "too large"),
    "overflow behind 0": ([0, 2**62, 2**62], "too large"),
    "rank": ([1] * 65, "x has 65 dimensions; at most 64 can be"),
    "float": ([1.0], "whole numbers, got [1.0]"),
    "boolean": ([True], "whole numbers, got [true]"),
    "text": (["1"], 'whole numbers, got ["1"]'),
    "huge": ([10**30], "too large"),
}


@pytest.mark.parametrize(("shape", "message"), SHAPE_REFUSALS.values(), ids=SHAPE_REFUSALS)
def test_shapes_that_cannot_be(shape: list[object], message: str) -> None:
    with pytest.raises(ServingError, match="x") as caught:
        check_shape(shape, "x")
    assert message in caught.value.message


@given(st.lists(st.integers(-2, 2**64) | st.floats() | st.booleans() | st.text(), max_size=70))
def test_any_shape_is_taken_or_refused(shape: list[object]) -> None:
    sizes = attempt(lambda: check_shape(shape, "x"))
    if isinstance(sizes, ServingError):
        assert sizes.code is Code.INVALID_ARGUMENT
    else:
        assert list(sizes) == shape


def test_every_datatype_has_its_own_names() -> None:
    for names in zip(
        *((d.name, d.type_name, d.config_name) for d in DATATYPES.values()), strict=True
    ):
        assert len(set(names)) == len(DATATYPES)
    assert DATATYPES["BYTES"].config_name == "TYPE_STRING"
    assert DATATYPES["FP16"].type_name == "DT_HALF"
