"""``data`` to arrays and back: every datatype, flat or nested, and what does not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gateway.codecs.json_numbers import read_block
from gateway.codecs.json_parse import parse_object
from gateway.errors import Code, ServingError
from gateway.oip.datatypes import DATATYPES, Datatype
from gateway.oip.json_tensors import BlockRefusedError, read_data, write_data
from tests.oip.models import SAMPLES, attempt

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
BYTES = DATATYPES["BYTES"]
PLAIN = [DATATYPES[name] for name in SAMPLES if name not in ("FP16", "BF16", "BYTES")]


def values_of(datatype: Datatype) -> st.SearchStrategy[np.ndarray]:
    return SHAPES.flatmap(lambda shape: hnp.arrays(datatype.dtype, shape))


def parsed(text: bytes) -> Any:
    return parse_object(b'{"data":%b}' % text)["data"]


@given(st.sampled_from(PLAIN).flatmap(lambda d: st.tuples(st.just(d), values_of(d))))
def test_numbers_come_back(case: tuple[Datatype, np.ndarray]) -> None:
    datatype, array = case
    data = parsed(write_data(array, datatype))
    np.testing.assert_array_equal(read_data(data, datatype, array.shape, "x"), array, strict=True)


@given(st.sampled_from(["FP16", "BF16"]), st.lists(st.binary(min_size=2, max_size=2)))
def test_short_floats_come_back(name: str, raw: list[bytes]) -> None:
    datatype = DATATYPES[name]
    array = np.frombuffer(b"".join(raw), datatype.dtype)
    back = read_data(parsed(write_data(array, datatype)), datatype, array.shape, "x")
    assert back.dtype == datatype.dtype
    np.testing.assert_array_equal(back.astype(np.float32), array.astype(np.float32))


@given(hnp.arrays(object, SHAPES, elements=st.binary(max_size=6), fill=st.nothing()))
def test_bytes_come_back(array: np.ndarray) -> None:
    """Text as text, all others in base64."""
    back = read_data(parsed(write_data(array, BYTES)), BYTES, array.shape, "x")
    assert back.shape == array.shape
    assert back.tolist() == array.tolist()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(list(DATATYPES.values())), SHAPES)
def test_any_json_is_taken_or_refused(
    value: Any, datatype: Datatype, shape: tuple[int, ...]
) -> None:
    data = parsed(json.dumps(value).encode())
    array = attempt(lambda: read_data(data, datatype, shape, "x"))
    if isinstance(array, ServingError):
        assert array.code is Code.INVALID_ARGUMENT
        assert "x" in array.message
    else:
        assert (array.shape, array.dtype) == (shape, datatype.dtype)


@pytest.mark.parametrize("nested", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]])
def test_flat_and_nested_are_the_same(nested: Any) -> None:
    array = read_data(nested, DATATYPES["INT64"], (2, 3), "x")
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_scalar() -> None:
    for data in (5, [5]):
        assert read_data(data, DATATYPES["FP32"], (), "x") == np.array(5, np.float32)


def test_floats_beyond_a_datatype_are_infinite() -> None:
    for name in ("FP16", "FP32", "BF16"):
        assert np.isinf(read_data([1e39], DATATYPES[name], (1,), "x")).all()


def test_what_is_not_finite_stands_bare() -> None:
    array = np.array([np.nan, np.inf, -np.inf], np.float32)
    text = write_data(array, DATATYPES["FP32"])
    assert text == b"[NaN,Infinity,-Infinity]"
    np.testing.assert_array_equal(read_data(parsed(text), DATATYPES["FP32"], (3,), "x"), array)


REFUSALS: dict[str, tuple[Any, str, tuple[int, ...], str]] = {
    "too few": ([1, 2, 3], "FP32", (2, 2), "data has 3 values, which is not the shape [2,2], which"
                " takes 4"),
    "too many": ([1, 2, 3], "FP32", (2,), "data has 3 values"),
    "none": ([], "FP32", (1,), "data has 0 values"),
    "huge shape": ([1], "FP32", (2**40, 2**20), "which takes 1152921504606846976"),
    "other nesting": ([[1, 2], [3, 4], [5, 6]], "FP32", (2, 3), "data has the shape [3,2], which is"
                      " not the shape [2,3] nor flat"),
    "ragged": ([[1], [2, 3]], "FP32", (3,), "Encountered list at unexpected size: 2"),
    "text": (["1"], "FP32", (1,), "is not of expected type: float"),
    "null": ([None], "INT32", (1,), "is not of expected type: int32"),
    "boolean": ([True], "FP32", (1,), "is not of expected type: float"),
    "number for bool": ([1], "BOOL", (1,), "is not of expected type: bool"),
    "fraction": ([1.5], "INT32", (1,), "is not of expected type: int32"),
    "negative": ([-1], "UINT8", (1,), "-1 is no UINT8, which goes from 0 to 255"),
    "beyond int8": ([1, 200], "INT8", (2,), "200 is no INT8, which goes from -128 to 127"),
    "beyond uint16": ([65536], "UINT16", (1,), "65536 is no UINT16"),
    "beyond int32": ([2**31], "INT32", (1,), "is not of expected type: int32"),
    "beyond uint64": ([2.0**64], "UINT64", (1,), "is not of expected type: uint64"),
    "number for bytes": ([5], "BYTES", (1,), "is not of expected type: string"),
    "not base64": ([{"b64": "!"}], "BYTES", (1,), "Unable to base64 decode"),
    "an object": ({"a": 1}, "FP32", (1,), "is not of expected type: float"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "name", "shape", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(data: Any, name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ServingError) as caught:
        read_data(data, DATATYPES[name], shape, "x")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert message in caught.value.message
    assert "x" in caught.value.message


def test_deep_nesting() -> None:
    data: Any = 1
    for _ in range(200):
        data = [data]
    with pytest.raises(ServingError, match="nested too deeply"):
        read_data(data, DATATYPES["FP32"], (1,), "x")


@pytest.mark.parametrize("text", [b"[1,2,3,4]", b"[[1,2],[3,4]]"])
def test_blocks(text: bytes) -> None:
    """Large lists of numbers do not become Python lists."""
    block = read_block(text)
    assert block is not None, "simdjson is there"
    for name in ("FP32", "FP16", "INT8", "UINT64"):
        array = read_data(block, DATATYPES[name], (2, 2), "x")
        assert array.astype(int).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(BlockRefusedError):
        read_data(block, BYTES, (2, 2), "x")
