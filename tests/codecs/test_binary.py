"""Tensors as raw bytes: what fits is a view, what does not is refused by name."""

from __future__ import annotations

import json
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from codec_helpers import DTYPES, PROPERTY, signature, spec, specs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from gateway.backends.base import TensorSpec
from gateway.codecs.binary import (
    DTYPE_NAMES,
    TensorHead,
    decode,
    encode,
    format_heads,
    parse_heads,
)
from gateway.codecs.predict_json import decode_inputs, parse_predict
from gateway.errors import ServingError

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
typed = st.sampled_from([name for name in DTYPES if name != "DT_STRING"])
tensors = typed.flatmap(lambda name: st.tuples(st.just(name), hnp.arrays(DTYPES[name], shapes)))
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)


def decoded(body: bytes, heads: list[TensorHead], **types: str) -> dict[str, NDArray[Any]]:
    return decode(heads, body, signature(specs(**types)))


def refusal(body: bytes, heads: list[TensorHead], **types: str) -> str:
    with pytest.raises(ServingError) as caught:
        decoded(body, heads, **types)
    assert caught.value.code.http_status == 400
    return caught.value.message


@PROPERTY
@given(st.dictionaries(names, tensors, min_size=1, max_size=3))
def test_tensors_come_back(named: dict[str, tuple[str, NDArray[Any]]]) -> None:
    """Encoded as outputs, sent as inputs: the same bits under the same names."""
    of = {name: spec(name, type_name) for name, (type_name, _) in named.items()}
    heads, body = encode({n: array for n, (_, array) in named.items()}, signature(outputs=of))
    assert parse_heads(*format_heads(heads)) == heads
    assert all(text.isascii() for text in format_heads(heads))
    arrays = decode(heads, body, signature(of))
    for name, (_, array) in named.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()
        assert arrays[name].flags.aligned


def test_a_view_and_not_a_copy() -> None:
    body = np.arange(6, dtype=np.float32).tobytes()
    array = decoded(body, [TensorHead("", "float32", (2, 3))], x="float")["x"]
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))
    assert not array.flags.writeable
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_bytes_are_little_endian() -> None:
    assert decoded(b"\1\0\0\0", [TensorHead("x", "int32", (1,))], x="int32")["x"].tolist() == [1]
    heads, body = encode({"y": np.array([1], np.int32)}, signature(outputs=specs(y="int32")))
    assert (heads, body) == ([TensorHead("y", "int32", (1,))], b"\1\0\0\0")
    assert (
        sys.byteorder == "little"
        or decoded(b"\1\0", [TensorHead("x", "int16", ())], x="int16")["x"].dtype.isnative
    )


def test_a_tensor_off_its_boundary_is_copied() -> None:
    heads = [TensorHead("a", "int8", (1,)), TensorHead("b", "float64", (1,))]
    arrays = decoded(b"\7" + np.float64(1.5).tobytes(), heads, b="double", a="int8")
    assert (arrays["a"].tolist(), arrays["b"].tolist()) == ([7], [1.5])
    assert arrays["b"].flags.aligned


@pytest.mark.parametrize(
    ("type_name", "dtype"), [("DT_HALF", np.float16), ("DT_BFLOAT16", ml_dtypes.bfloat16)]
)
def test_dtypes_that_json_cannot_carry(type_name: str, dtype: Any) -> None:
    tensor = TensorSpec("x", np.dtype(dtype), type_name, None)
    array = np.array([1.5, -2], dtype)
    heads, body = encode({"x": array}, signature(outputs={"x": tensor}))
    back = decode(heads, body, signature({"x": tensor}))["x"]
    assert back.dtype == dtype
    assert back.tobytes() == array.tobytes()


FLOATS = [TensorHead("x", "float32", (2,))]


@pytest.mark.parametrize(
    ("body", "heads", "phrase"),
    [
        (b"1234567", FLOATS, 'input "x": float32 of shape [2] takes 8 bytes, but 7 are left'),
        (b"123456789", FLOATS, "the body has 9 bytes, but its tensors take 8"),
        (b"12345678", [TensorHead("x", "int32", (2,))], 'input "x" must be float32, got "int32"'),
        (b"12345678", [TensorHead("y", "float32", (2,))], 'input "x" is missing (expected: x;'),
        (b"", [TensorHead("x", "float32", (10**18,) * 64)], "are left"),
        (b"", [TensorHead("x", "float32", (0, *[10**18] * 9))], "is too large"),
        (b"12345678", [*FLOATS, TensorHead("y", "float32", ())], 'there is no input "y"'),
    ],
)
def test_refused(body: bytes, heads: list[TensorHead], phrase: str) -> None:
    assert phrase in refusal(body, heads, x="float")


def test_what_has_no_binary_form() -> None:
    assert "is strings, which has no binary form: send JSON" in refusal(
        b"", [TensorHead("x", "string", ())], x="string"
    )
    with pytest.raises(ServingError, match=r'output "y" is strings, .*: ask for JSON'):
        encode({"y": np.array([b"a"], object)}, signature(outputs=specs(y="string")))


@pytest.mark.parametrize("octet", [2, 255])
def test_booleans_are_0_or_1(octet: int) -> None:
    assert decoded(b"\0\1", [TensorHead("", "bool", (2,))], x="bool")["x"].tolist() == [False, True]
    phrase = 'input "x" must be bool: bytes that are 0 or 1'
    assert phrase in refusal(bytes([0, octet]), [TensorHead("", "bool", (2,))], x="bool")


def test_which_input_is_missing() -> None:
    two = specs(a="float", b="float")
    assert 'input "a" is missing' in refusal(
        b"", [TensorHead("", "float32", (0,))], a="float", b="float"
    )
    arrays = decode([TensorHead("a", "float32", (0,))], b"", signature(two), optional={"b"})
    assert list(arrays) == ["a"]
    arrays = decode([TensorHead("", "float32", (0,))], b"", signature(two), optional={"b"})
    assert list(arrays) == ["a"]


@pytest.mark.parametrize(
    ("texts", "heads"),
    [
        ((None, "float32", ""), [TensorHead("", "float32", ())]),
        ((None, "float32", "1, 2 ,3"), [TensorHead("", "float32", (1, 2, 3))]),
        (
            ("a, b%2Cc", "int8,bool", "2;"),
            [TensorHead("a", "int8", (2,)), TensorHead("b,c", "bool", ())],
        ),
    ],
)
def test_heads(texts: tuple[str | None, str, str], heads: list[TensorHead]) -> None:
    assert parse_heads(*texts) == heads


@pytest.mark.parametrize(
    ("texts", "phrase"),
    [
        ((None, "float32", "-1"), "a shape must be sizes separated by commas"),
        ((None, "float32", "1,,2"), 'got "1,,2"'),
        ((None, "float32", "1x2"), "a shape must be"),
        ((None, "float32", "١"), "a shape must be"),
        ((None, "float32", "9" * 19), "a shape must be"),
        ((None, "float32", ",".join("1" * 65)), "a shape has 65 sizes; at most 64"),
        (("a,b", "float32", "1"), "2 names, 1 dtypes and 1 shapes"),
        ((None, "float32,int8", "1;1"), "1 names, 2 dtypes and 2 shapes"),
        (("a,a", "int8,int8", "1;1"), 'a tensor is named twice: ["a","a"]'),
    ],
)
def test_heads_refused(texts: tuple[str | None, str, str], phrase: str) -> None:
    with pytest.raises(ServingError) as caught:
        parse_heads(*texts)
    assert phrase in caught.value.message


def test_every_dtype_has_its_own_name() -> None:
    assert len(set(DTYPE_NAMES.values())) == len(DTYPE_NAMES)
    for type_name in DTYPES.keys() & DTYPE_NAMES.keys():
        assert DTYPE_NAMES[type_name] == np.dtype(DTYPES[type_name]).name


def tensor_object(**changes: Any) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [1, 2], "b64": "AACAPwAAAEA="} | changes


def from_json(value: Any, **types: str) -> dict[str, NDArray[Any]]:
    body = json.dumps({"inputs": value}).encode()
    return dict(decode_inputs(parse_predict(body), signature(specs(**types))))


def test_base64_within_json() -> None:
    arrays = from_json({"x": tensor_object(), "y": [7]}, x="float", y="int32")
    assert arrays["x"].tolist() == [[1, 2]]
    assert arrays["y"].tolist() == [7]


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"dtype": "int32"}, 'input "x" must be float32, got "int32"'),
        ({"dtype": 5}, '"dtype" must be a string, got 5'),
        ({"shape": [1, -2]}, '"shape" must be a list of sizes, got [1,-2]'),
        ({"shape": [True]}, '"shape" must be a list of sizes, got [true]'),
        ({"shape": 2}, '"shape" must be'),
        ({"shape": [3]}, "takes 12 bytes, but 8 are left"),
        ({"shape": [1]}, "takes 4 bytes, but there are 8"),
        ({"b64": "%"}, 'Unable to base64 decode: "%"'),
        ({"b64": None}, '"b64" must be a string, got null'),
        ({"more": 1}, "is not of expected type: float"),
    ],
)
def test_base64_within_json_refused(changes: dict[str, Any], phrase: str) -> None:
    with pytest.raises(ServingError) as caught:
        from_json({"x": tensor_object(**changes)}, x="float")
    assert phrase in caught.value.message
    assert '"x"' in caught.value.message


def test_base64_stands_nowhere_else() -> None:
    """There an object means something else, or is refused as ever."""
    with pytest.raises(ServingError, match="Missing named input: x"):
        from_json(tensor_object(), x="float")
    with pytest.raises(ServingError, match="not formatted correctly for base64 data"):
        from_json({"x": tensor_object()}, x="string")
