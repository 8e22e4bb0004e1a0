"""What holds for any value: round trips, one verdict from both roads, no stray exception."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from codec_helpers import DTYPES, PROPERTY, decode, signature, spec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gateway.codecs.json_faults import find_fault
from gateway.codecs.json_values import read_array
from gateway.codecs.predict_json import Form, decode_inputs, encode_outputs, parse_predict
from gateway.errors import ServingError

NUMERIC = [name for name in DTYPES if name != "DT_STRING"]
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)
row_shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3)
byte_strings = st.binary(max_size=5) | st.text(max_size=3).map(str.encode)


def arrays_of(type_name: str, shape: Any) -> st.SearchStrategy[NDArray[Any]]:
    elements = byte_strings if type_name == "DT_STRING" else None
    return hnp.arrays(DTYPES[type_name], shape, elements=elements, fill=elements)


typed_arrays = st.sampled_from(list(DTYPES)).flatmap(
    lambda name: st.tuples(st.just(name), arrays_of(name, row_shapes))
)


def same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Bit for bit, but for the payload of NaN."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    return bool(np.array_equal(left, right, equal_nan=left.dtype.kind == "f"))


@PROPERTY
@given(st.sampled_from(NUMERIC).flatmap(lambda n: st.tuples(st.just(n), arrays_of(n, shapes))))
def test_nested_lists_become_the_same_array(typed: tuple[str, NDArray[Any]]) -> None:
    type_name, array = typed
    body = json.dumps({"inputs": array.tolist()}).encode()
    inputs = {"x": spec("x", type_name)}
    decoded = decode_inputs(parse_predict(body), signature(inputs))["x"]
    if 0 in array.shape:
        assert decoded.tolist() == array.tolist()
        assert decoded.dtype == array.dtype
    else:
        assert same(decoded, array)


@PROPERTY
@given(typed_arrays, st.booleans())
def test_rows_and_columns_come_back(typed: tuple[str, NDArray[Any]], named: bool) -> None:
    """encode, then decode what was written, gives the array again, in both forms."""
    type_name, array = typed
    tensor = {"x": spec("x", type_name)}
    written = {form: encode_outputs({"x": array}, signature(outputs=tensor), form) for form in Form}
    row = written[Form.ROW].removeprefix(b'{"predictions":').removesuffix(b"}")
    column = written[Form.COLUMN].removeprefix(b'{"outputs":').removesuffix(b"}")
    assert row == column
    bodies = [b'{"instances":%b}' % row, b'{"inputs":%b}' % column]
    if named:
        bodies = [b'{"instances":[{"x":%b}]}' % row, b'{"inputs":{"x":%b}}' % column]
        expected = [array[np.newaxis], array]
    else:
        expected = [array, array]
    for body, wanted in zip(bodies, expected, strict=True):
        assert same(decode_inputs(parse_predict(body), signature(tensor))["x"], wanted)


@PROPERTY
@given(st.lists(typed_arrays, min_size=2, max_size=4), st.integers(1, 3))
def test_row_objects_equal_slices(outputs: list[tuple[str, NDArray[Any]]], rows: int) -> None:
    named = {
        f"out{index}": np.resize(array, (rows, *array.shape[1:]))
        for index, (_, array) in enumerate(outputs)
    }
    types = {f"out{index}": spec(f"out{index}", name) for index, (name, _) in enumerate(outputs)}
    target = signature(outputs=types)
    answer = parsed(encode_outputs(named, target, Form.ROW))["predictions"]
    columns = parsed(encode_outputs(named, target, Form.COLUMN))["outputs"]
    assert [list(row) for row in answer] == [list(types)] * rows
    for alias in types:
        assert repr([row[alias] for row in answer]) == repr(columns[alias])


def parsed(text: bytes) -> Any:
    """Parsed by the standard library: bare NaN and Infinity are fine."""
    return json.loads(text)


@PROPERTY
@given(hnp.arrays(np.uint32, hnp.array_shapes(max_dims=3)))
def test_float32_text_is_exact_for_every_bit_pattern(bits: NDArray[np.uint32]) -> None:
    array = bits.view(np.float32)
    text = encode_outputs({"y": array}, signature(outputs={"y": spec("y", "DT_FLOAT")}), Form.ROW)
    with np.errstate(over="ignore"):
        back = np.array(json.loads(text)["predictions"]).astype(np.float32)
    assert same(back, array)
    assert np.array_equal(np.signbit(back), np.signbit(array) & ~np.isnan(array))
    assert b" " not in text


@PROPERTY
@given(hnp.arrays(np.uint64, hnp.array_shapes(max_dims=2)))
def test_float64_text_is_exact_for_every_bit_pattern(bits: NDArray[np.uint64]) -> None:
    array = bits.view(np.float64)
    text = encode_outputs({"y": array}, signature(outputs={"y": spec("y", "DT_DOUBLE")}), Form.ROW)
    assert same(np.array(json.loads(text)["predictions"], dtype=np.float64), array)


@pytest.mark.parametrize("value", [1e-45, 1.1754942e-38, 3.4028235e38, -1e-45, 0.1, 1 / 3])
def test_float32_edges(value: float) -> None:
    array = np.array([value], np.float32)
    text = encode_outputs({"y": array}, signature(outputs={"y": spec("y", "DT_FLOAT")}), Form.ROW)
    assert len(text) <= len('{"predictions":[-1.1754942e-38]}')
    assert np.float32(json.loads(text)["predictions"][0]) == array[0]


numbers = st.floats() | st.integers(-(2**63), 2**64 - 1) | st.integers(-3, 300)
strings = st.text(max_size=3) | st.sampled_from(["1", "1.5", "true", "NaN", "inf", "YQ=="])
base64_objects = strings.map(lambda text: {"b64": text})
anything = st.recursive(
    numbers | st.booleans() | st.none() | strings | base64_objects,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2)
    ),
    max_leaves=8,
)
tensor_like = st.one_of(
    *(
        hnp.arrays(object, shapes, elements=leaf, fill=leaf).map(lambda array: array.tolist())
        for leaf in (
            numbers,
            st.booleans(),
            strings | base64_objects,
            numbers | st.booleans(),
            st.integers(0, 2**64 - 1),
        )
    )
)


def leaf_types(value: Any) -> set[type]:
    if isinstance(value, list):
        return set().union(*map(leaf_types, value))
    return {type(value)}


@PROPERTY
@given(anything | tensor_like, st.sampled_from(list(DTYPES)))
def test_the_fast_road_and_the_exact_one_agree(value: Any, type_name: str) -> None:
    target = spec("x", type_name)
    fits = find_fault(value, target) is None
    array = read_array(value, target, numbers_only=False)
    assert (array is not None) is fits
    if leaf_types(value) <= {int, float}:
        quick = read_array(value, target, numbers_only=True)
        assert (quick is not None) is fits
        if array is not None and quick is not None:
            assert same(quick, array)
    if array is not None:
        assert array.dtype == target.dtype
        assert array.flags.c_contiguous


documents = st.fixed_dictionaries(
    {},
    optional={
        "instances": anything | tensor_like | st.lists(st.fixed_dictionaries({"x": tensor_like})),
        "inputs": anything | tensor_like,
        "signature_name": strings | anything,
        "other": anything,
    },
)
input_types = st.dictionaries(
    st.sampled_from("xyz"),
    st.sampled_from([*(name.removeprefix("DT_").lower() for name in DTYPES), "half"]),
    max_size=3,
)


def check_outcome(request: Any, types: dict[str, str]) -> None:
    """All arrays, or a refusal of bounded length; anything else escapes and fails the test."""
    try:
        arrays = decode(request, **types)
    except ServingError as error:
        length = len(error.message)
        assert 0 < length < 2000
    else:
        assert arrays.keys() == types.keys()


@PROPERTY
@given(documents, input_types)
def test_any_document_gives_arrays_or_a_refusal(
    document: dict[str, Any], types: dict[str, str]
) -> None:
    check_outcome(document, types)


@PROPERTY
@given(
    st.binary(max_size=40) | (anything | tensor_like).map(json.dumps).map(str.encode),
    input_types,
    st.sampled_from([b"instances", b"inputs"]),
)
def test_any_bytes_give_arrays_or_a_refusal(
    value: bytes, types: dict[str, str], key: bytes
) -> None:
    for body in (value, b'{"%b":%b}' % (key, value), b'{"%b":[%b' % (key, value)):
        check_outcome(body, types)
