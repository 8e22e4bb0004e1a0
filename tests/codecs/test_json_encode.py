"""Outputs to text: exact, compact, in the signature's order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from codec_helpers import signature, spec, specs
from numpy.typing import NDArray

from gateway.codecs.predict_json import Form, encode_outputs
from gateway.errors import Code, ServingError


def encode(form: Form, outputs: dict[str, NDArray[Any]], **types: str) -> str:
    return encode_outputs(outputs, signature(outputs=specs(**types)), form).decode()


def text(array: Any, label: str, name: str = "y") -> str:
    """The bare text of one output."""
    whole = encode(Form.COLUMN, {name: np.asarray(array)}, **{name: label})
    return whole.removeprefix('{"outputs":').removesuffix("}")


TEXTS = [
    ("float", np.float32, [0.1, 1, -0.0, 1.5, 16777216], "[0.1,1.0,-0.0,1.5,16777216.0]"),
    ("float", np.float32, [[1, 2], [3, 4]], "[[1.0,2.0],[3.0,4.0]]"),
    ("float", np.float32, 2.5, "2.5"),
    ("float", np.float32, np.nan, "NaN"),
    ("float", np.float32, [[np.nan, 1], [-np.inf, np.inf]], "[[NaN,1.0],[-Infinity,Infinity]]"),
    ("double", np.float64, [0.1, 1 / 3, 2.0**53], "[0.1,0.3333333333333333,9007199254740992.0]"),
    ("double", np.float64, -np.inf, "-Infinity"),
    ("int8", np.int8, [-128, 127], "[-128,127]"),
    ("uint8", np.uint8, [0, 255], "[0,255]"),
    ("int16", np.int16, [-32768], "[-32768]"),
    ("int32", np.int32, 7, "7"),
    ("int64", np.int64, [2**53 + 1, -(2**63)], "[9007199254740993,-9223372036854775808]"),
    ("uint32", np.uint32, [2**32 - 1], "[4294967295]"),
    ("uint64", np.uint64, [2**64 - 1], "[18446744073709551615]"),
    ("bool", np.bool_, [[True], [False]], "[[true],[false]]"),
    ("bool", np.bool_, True, "true"),
    ("string", np.object_, [b"a", 'é\n"'.encode()], '["a","é\\n\\""]'),
    ("string", np.object_, b"a", '"a"'),
    ("string", np.object_, [b"\xff\x00", b"ok"], '[{"b64":"/wA="},"ok"]'),
    ("string", np.object_, [[b"", b"a\x00"]], '[["","a\\u0000"]]'),
]


@pytest.mark.parametrize(("label", "dtype", "value", "expected"), TEXTS)
def test_texts(label: str, dtype: Any, value: Any, expected: str) -> None:
    assert text(np.array(value, dtype=dtype), label) == expected


def test_an_alias_ending_in_bytes_is_always_base64() -> None:
    array = np.array([b"hello", b""], dtype=object)
    assert text(array, "string", "image_bytes") == '[{"b64":"aGVsbG8="},{"b64":""}]'
    assert text(np.array(b"hello", dtype=object), "string", "x_bytes") == '{"b64":"aGVsbG8="}'
    assert text(np.array([1.0], np.float32), "float", "x_bytes") == "[1.0]"


@pytest.mark.parametrize("label", ["float", "double", "int32", "bool", "string"])
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3), (2, 0, 3), (2, 3, 0)])
def test_empty(label: str, shape: tuple[int, ...]) -> None:
    array = np.empty(shape, spec("y", f"DT_{label.upper()}").dtype)
    assert json.loads(text(array, label)) == array.tolist()


def test_any_memory_layout() -> None:
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    packed = np.zeros(4, np.dtype([("pad", "i1"), ("y", "f4")]))
    packed["y"] = base[:, 0]
    for array in (base[:, 1:3], base[::2], base.T, base[::-1], base[1:3, 2:], packed["y"]):
        assert json.loads(text(array, "float")) == array.tolist()
    swapped = base.astype(">f4")
    swapped[0, 0] = np.nan
    assert text(swapped, "float").startswith("[[NaN,1.0,")
    assert json.loads(text(base.astype(">i8").T, "int64")) == base.T.tolist()
    strings = np.array([[b"a", b"b"], [b"c", b"d"]], dtype=object)
    assert text(strings.T, "string") == '[["a","c"],["b","d"]]'
    read_only = base.copy()
    read_only.flags.writeable = False
    assert json.loads(text(read_only, "float")) == base.tolist()


def test_one_output_goes_without_its_name() -> None:
    outputs = {"y": np.array([[1.5], [2]], np.float32)}
    assert encode(Form.ROW, outputs, y="float") == '{"predictions":[[1.5],[2.0]]}'
    assert encode(Form.COLUMN, outputs, y="float") == '{"outputs":[[1.5],[2.0]]}'


def test_several_outputs_keep_the_order_of_the_signature() -> None:
    outputs = {
        "z": np.array([b"a", b"\xff"], dtype=object),
        "y": np.array([[1, np.nan], [np.inf, 4]], np.float32),
        "n": np.array([1, 2]),
        "m": np.arange(8).reshape(2, 2, 2),
    }
    types = {"n": "int64", "y": "float", "z": "string", "m": "int64"}
    assert encode(Form.ROW, outputs, **types) == (
        '{"predictions":[{"n":1,"y":[1.0,NaN],"z":"a","m":[[0,1],[2,3]]},'
        '{"n":2,"y":[Infinity,4.0],"z":{"b64":"/w=="},"m":[[4,5],[6,7]]}]}'
    )
    assert encode(Form.COLUMN, outputs, **types) == (
        '{"outputs":{"n":[1,2],"y":[[1.0,NaN],[Infinity,4.0]],"z":["a",{"b64":"/w=="}],'
        '"m":[[[0,1],[2,3]],[[4,5],[6,7]]]}}'
    )


def test_aliases_with_special_characters() -> None:
    names = {'per%b"cent': "int64", "ü%": "int64"}
    outputs = {name: np.array([1, 2]) for name in names}
    rows = json.loads(encode(Form.ROW, outputs, **names))["predictions"]
    assert rows == [dict.fromkeys(names, 1), dict.fromkeys(names, 2)]
    assert json.loads(encode(Form.COLUMN, outputs, **names))["outputs"] == {
        name: [1, 2] for name in names
    }


def test_no_rows() -> None:
    empty = np.empty((0, 3), np.float32)
    assert encode(Form.ROW, {"y": empty}, y="float") == '{"predictions":[]}'
    both = {"y": empty, "z": np.empty(0, np.int64)}
    assert encode(Form.ROW, both, y="float", z="int64") == '{"predictions":[]}'


def test_rows_of_nothing() -> None:
    outputs = {"y": np.empty((2, 0, 3), np.float32), "z": np.array([1, 2])}
    assert encode(Form.ROW, outputs, y="float", z="int64") == (
        '{"predictions":[{"y":[],"z":1},{"y":[],"z":2}]}'
    )


def refused(form: Form, outputs: dict[str, NDArray[Any]], **types: str) -> str:
    with pytest.raises(ServingError) as caught:
        encode(form, outputs, **types)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_row_form_needs_a_common_first_dimension() -> None:
    scalar, two, three = np.array(1.0), np.array([1.0, 2]), np.array([1.0, 2, 3])
    no_shape = refused(Form.ROW, {"y": scalar}, y="double")
    assert no_shape.startswith("Tensor name: y has no shape information")
    uneven = refused(Form.ROW, {"a": two, "b": three}, a="double", b="double")
    assert uneven.startswith("Tensor name: b has inconsistent batch size: 3 expecting: 2")
    none = refused(Form.ROW, {"a": two[:0], "b": three}, a="double", b="double")
    assert none.startswith("Tensor name: b has inconsistent batch size: 3 expecting: 0")
    assert encode(Form.COLUMN, {"a": two, "b": scalar}, a="double", b="double") == (
        '{"outputs":{"a":[1.0,2.0],"b":1.0}}'
    )


@pytest.mark.parametrize(
    ("label", "dtype"),
    [("half", np.float16), ("uint16", np.uint16), ("complex64", np.complex64), ("bfloat16", "V2")],
)
@pytest.mark.parametrize(
    ("form", "shape"),
    [(Form.COLUMN, ()), (Form.COLUMN, (2,)), (Form.ROW, (2,)), (Form.ROW, (0, 2))],
)
def test_unsupported_dtypes(form: Form, shape: tuple[int, ...], label: str, dtype: Any) -> None:
    phrase = f'Failed to write JSON value for tensor type: {label} (output "y")'
    odd, usual = np.zeros(shape, dtype), np.zeros(shape)
    assert refused(form, {"y": odd}, y=label) == phrase
    assert refused(form, {"y": odd, "z": usual}, y=label, z="double") == phrase


def test_no_outputs() -> None:
    for form in Form:
        assert refused(form, {}) == "Cannot convert empty tensor map to JSON"
