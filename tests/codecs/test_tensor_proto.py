"""TensorProto to array and back."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from gateway.codecs import tensor_proto_write as module
from gateway.codecs.tensor_proto import array_of, tensor_proto
from gateway.codecs.tensor_proto_read import read_tensor
from gateway.codecs.varints import varint
from gateway.errors import Code, ServingError
from gateway.protos.tensors import DATA_TYPES, TensorProto
from gateway.protos.unread import UnreadTensor

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
DTYPES: dict[str, Any] = {
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_HALF": np.float16,
    "DT_BFLOAT16": ml_dtypes.bfloat16,
    "DT_FLOAT8_E5M2": ml_dtypes.float8_e5m2,
    "DT_FLOAT8_E4M3FN": ml_dtypes.float8_e4m3fn,
    **{f"DT_{name.upper()}": np.dtype(name) for name in INTEGERS},
    "DT_BOOL": np.bool_,
    "DT_COMPLEX64": np.complex64,
    "DT_COMPLEX128": np.complex128,
}
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
MANY = (5, 20)
"""A shape with more values than go as a list."""


def numbers(type_name: str, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
    """Any bits but those of booleans that are neither, and of signalling NaNs, which Python's
    floats make quiet."""
    dtype = np.dtype(DTYPES[type_name])
    random = np.random.default_rng(seed)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    raw = bytearray(random.bytes(math.prod(shape) * dtype.itemsize))
    if dtype.kind in "fc" and dtype.itemsize > 2:
        parts = np.frombuffer(raw, np.finfo(dtype).dtype)
        parts[np.isnan(parts)] = np.nan
    return np.frombuffer(raw, dtype).reshape(shape)


def assert_same(array: NDArray[Any], expected: NDArray[Any]) -> None:
    assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
    assert array.flags.c_contiguous
    if expected.dtype.kind == "O":
        assert array.tolist() == expected.tolist()
    else:
        assert array.tobytes() == expected.tobytes()


def proto(type_name: str = "DT_FLOAT", shape: tuple[int, ...] = (2,), **fields: Any) -> Any:
    dims = {"dim": [{"size": size} for size in shape]}
    return TensorProto(dtype=DATA_TYPES[type_name], tensor_shape=dims, **fields)


@pytest.mark.parametrize("content", [False, True], ids=["typed", "content"])
@pytest.mark.parametrize("type_name", DTYPES)
@given(shape=SHAPES | st.just(MANY), seed=st.integers(0, 2**32))
def test_round_trip(type_name: str, content: bool, shape: tuple[int, ...], seed: int) -> None:
    array = numbers(type_name, shape, seed)
    message = tensor_proto(array, type_name, tensor_content=content)
    assert bool(message.tensor_content) is (content and array.size > 0)
    read = array_of(TensorProto.FromString(message.SerializeToString()))
    assert_same(read, array)


@given(arrays.arrays(object, SHAPES, elements=st.binary(max_size=20)), st.booleans())
def test_round_trip_of_strings(array: NDArray[Any], content: bool) -> None:
    message = tensor_proto(array, "DT_STRING", tensor_content=content)
    assert not message.tensor_content
    assert_same(array_of(message), array)


@pytest.mark.parametrize("dtype", [object, "U3", "S2"])
def test_text_is_encoded(dtype: Any) -> None:
    array = np.array([["é", "b"]] if dtype != "S2" else [[b"\xc3\xa9", b"b"]], dtype)
    assert list(tensor_proto(array, "DT_STRING").string_val) == ["é".encode(), b"b"]


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3).T, np.arange(6.0)[::2]])
@pytest.mark.parametrize("order", ["<", ">"])
def test_any_memory_layout(array: NDArray[Any], order: str) -> None:
    stored = array.astype(array.dtype.newbyteorder(order))
    for content in (False, True):
        assert_same(array_of(tensor_proto(stored, "DT_DOUBLE", tensor_content=content)), array)


def test_an_array_of_another_dtype() -> None:
    with pytest.raises(ValueError, match="an array of float64 is no DT_FLOAT"):
        tensor_proto(np.zeros(2), "DT_FLOAT")


def test_a_scalar_has_a_shape() -> None:
    message = tensor_proto(np.float32(3), "DT_FLOAT")  # type: ignore[arg-type]
    assert message.HasField("tensor_shape")
    assert_same(array_of(message), np.array(3, np.float32))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (proto(shape=(2, 2), float_val=[5]), [[5, 5], [5, 5]]),
        (proto(shape=(4,), float_val=[1, 2]), [1, 2, 2, 2]),
        (proto(shape=(3,)), [0, 0, 0]),
        (proto(shape=()), 0),
        (proto(shape=(0, 3)), np.zeros((0, 3))),
    ],
)
def test_missing_numbers_are_filled(message: Any, expected: Any) -> None:
    assert_same(array_of(message), np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("values", "expected"), [([], [b"", b""]), ([b"a"], [b"a", b"a"]), ([b"a\0", b"b"], None)]
)
def test_missing_strings_are_filled(values: list[bytes], expected: list[bytes] | None) -> None:
    read = array_of(proto("DT_STRING", string_val=values))
    assert read.tolist() == (expected or values)


@pytest.mark.parametrize(
    ("type_name", "field", "values", "expected"),
    [
        ("DT_HALF", "half_val", [0x3C00, 0xC000], [1, -2]),
        ("DT_BFLOAT16", "half_val", [0x3F80, 0xC000], [1, -2]),
        ("DT_INT8", "int_val", [-1, 300], [-1, 44]),
        ("DT_COMPLEX64", "scomplex_val", [1, 2], [1 + 2j, 1 + 2j]),
        ("DT_BOOL", "bool_val", [True], [True, True]),
        ("DT_FLOAT8_E5M2", "float8_val", b"\x3c", [1, 1]),
    ],
)
def test_typed_fields(type_name: str, field: str, values: Any, expected: list[Any]) -> None:
    read = array_of(proto(type_name, **{field: values}))
    assert_same(read, np.array(expected).astype(DTYPES[type_name]))


def one_by_one(type_name: str, field: str, values: list[Any], shape: tuple[int, ...]) -> Any:
    """A message whose numbers are not packed, as proto2 writers may leave them."""
    number = TensorProto.DESCRIPTOR.fields_by_name[field].number
    fixed = {"float_val": (5, "<f4"), "double_val": (1, "<f8"), "scomplex_val": (5, "<f4")}
    wire, dtype = fixed.get(field, (0, ""))
    tag = varint(number << 3 | wire)
    pieces = [
        tag + (np.array(v, dtype).tobytes() if dtype else varint(int(v) % 2**64)) for v in values
    ]
    return UnreadTensor.FromString(proto(type_name, shape).SerializeToString() + b"".join(pieces))


@pytest.mark.parametrize(
    ("type_name", "field", "values"),
    [
        ("DT_FLOAT", "float_val", [1.5, -2.0]),
        ("DT_DOUBLE", "double_val", [1.5, -2.0]),
        ("DT_INT32", "int_val", [1, -200]),
        ("DT_INT64", "int64_val", [2**40, -1]),
        ("DT_UINT64", "uint64_val", [2**63, 1]),
        ("DT_BOOL", "bool_val", [True, False]),
    ],
)
def test_numbers_that_are_not_packed(type_name: str, field: str, values: list[Any]) -> None:
    read = read_tensor(one_by_one(type_name, field, values, (2,))).array()
    assert_same(read, np.array(values).astype(DTYPES[type_name]))
    filled = read_tensor(one_by_one(type_name, field, values[1:], (3,))).array()
    assert_same(filled, np.array([values[1]] * 3).astype(DTYPES[type_name]))


def test_packed_numbers_in_pieces() -> None:
    """Parsers must take them, whoever writes them."""
    tensor = UnreadTensor.FromString(proto(shape=(3,)).SerializeToString())
    tensor.float_val.extend([np.float32([1]).tobytes(), np.float32([2, 3]).tobytes()])
    assert_same(read_tensor(tensor).array(), np.float32([1, 2, 3]))


def test_a_shape_in_pieces() -> None:
    tensor = UnreadTensor.FromString(proto(shape=(2,), float_val=[1, 2, 3, 4]).SerializeToString())
    tensor.tensor_shape.append(tensor.tensor_shape[0])
    assert read_tensor(tensor).shape == (2, 2)


@pytest.mark.parametrize(
    ("fields", "phrase"),
    [
        ({"dtype": 1, "float_val": [b"123"]}, "has 3 bytes in float_val"),
        ({"dtype": 3, "int_val": [b"\x01" + b"\x80" * 11 + b"\x01"]}, "wider than 64 bits"),
        (
            {"dtype": 9, "int64_val": [b"\x01\x01\x80"]},
            "broken numbers in int64_val: a number is cut off",
        ),
        ({"dtype": 1, "tensor_shape": [b"\x12\xff"]}, "the tensor has a broken shape"),
    ],
)
def test_broken_wire(fields: dict[str, Any], phrase: str) -> None:
    tensor = UnreadTensor(**({"tensor_shape": [b"\x12\x02\x08\x02"]} | fields))
    with pytest.raises(ServingError, match=phrase) as caught:
        read_tensor(tensor)
    assert caught.value.code is Code.INVALID_ARGUMENT


@given(st.binary(max_size=80), st.sampled_from([1, 3, 7, 9, 10, 19]))
def test_any_bytes_are_a_tensor_or_refused(data: bytes, dtype: int) -> None:
    try:
        tensor = UnreadTensor.FromString(data)
    except DecodeError:
        return
    tensor.dtype = dtype
    code = Code.INVALID_ARGUMENT
    try:
        read = read_tensor(tensor, max_filled_bytes=10**4)
        assert read.array().shape == read.shape
    except ServingError as error:
        code = error.code
    assert code is Code.INVALID_ARGUMENT


def test_bytes_of_booleans() -> None:
    assert array_of(proto("DT_BOOL", tensor_content=b"\x00\x07")).tolist() == [False, True]


def test_strings_in_tensor_content() -> None:
    long = b"x" * 300
    content = b"\x01\xac\x02\x00" + b"a" + long
    read = array_of(proto("DT_STRING", (3,), tensor_content=content))
    assert read.tolist() == [b"a", long, b""]


@pytest.mark.parametrize(
    ("message", "phrase"),
    [
        (TensorProto(), "input x has no dtype"),
        (proto("DT_QINT8"), "input x has the unsupported dtype DT_QINT8"),
        (proto("DT_FLOAT_REF"), "input x has the unsupported dtype DT_FLOAT_REF"),
        (TensorProto(dtype=999), "input x has the unsupported dtype DT_999"),
        (TensorProto(dtype=1, tensor_shape={"unknown_rank": True}), "incomplete shape"),
        (proto(shape=(2, -1)), "incomplete shape"),
        (proto(shape=(1,) * 65), "65 dimensions; at most 64"),
        (proto(shape=(2**62, 4)), "[4611686018427387904,4], which no memory can hold"),
        (proto(shape=(0, 2**62)), "which no memory can hold"),
        (
            proto(shape=(2, 2), float_val=[1] * 5),
            "input x has 5 values in float_val, but its shape [2,2] takes 4",
        ),
        (proto(shape=(0,), float_val=[1]), "has 1 values in float_val, but its shape [0] takes 0"),
        (proto("DT_COMPLEX64", scomplex_val=[1, 2, 3]), "3 numbers in scomplex_val, not pairs"),
        (
            proto(tensor_content=b"123"),
            "input x has 3 bytes in tensor_content, but its dtype and shape take 8",
        ),
        (
            proto(shape=(2**40,), float_val=[1]),
            "1 values in float_val, which would be repeated to fill 4398046511104 bytes;"
            " at most 67108864 are filled",
        ),
        (proto("DT_STRING", (2**40,)), "0 values in string_val, which would be repeated"),
        (
            proto("DT_STRING", tensor_content=b"\x01"),
            "broken strings in tensor_content: 1 numbers instead of 2",
        ),
        (
            proto("DT_STRING", tensor_content=b"\x01\x02ab"),
            "has 4 bytes in tensor_content, but its strings take 5",
        ),
    ],
)
def test_refused(message: Any, phrase: str) -> None:
    with pytest.raises(ServingError) as caught:
        array_of(message, what="input x")
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert phrase in caught.value.message


def test_the_filling_limit_is_the_caller_s() -> None:
    message = proto(shape=(10,), float_val=[1])
    assert array_of(message, max_filled_bytes=40).tolist() == [1] * 10
    with pytest.raises(ServingError, match="at most 39"):
        array_of(message, max_filled_bytes=39)


@pytest.mark.parametrize(
    ("type_name", "content"), [("DT_INT32", False), ("DT_FLOAT", True), ("DT_FLOAT8_E5M2", False)]
)
def test_what_no_message_can_hold(
    monkeypatch: pytest.MonkeyPatch, type_name: str, content: bool
) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGE_BYTES", 90)
    array = np.ones(100).astype(DTYPES[type_name])
    with pytest.raises(ServingError, match="a message holds at most 90") as caught:
        tensor_proto(array, type_name, tensor_content=content)
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def tf() -> Any:
    from gateway.backends.tensorflow import import_tensorflow

    return import_tensorflow()


def assert_same_as_tensorflow(tf: Any, array: NDArray[Any], type_name: str) -> None:
    """Each side reads what the other writes."""
    theirs = tf.make_tensor_proto(array)
    assert_same(array_of(TensorProto.FromString(theirs.SerializeToString())), array)
    for content in (False, True):
        data = tensor_proto(array, type_name, tensor_content=content).SerializeToString()
        assert_same(tf.make_ndarray(type(theirs).FromString(data)), array)


@pytest.mark.tf
# TensorFlow's own reader, with NumPy 2.5.
@pytest.mark.filterwarnings("ignore:Setting the dtype on a NumPy array:DeprecationWarning")
@pytest.mark.parametrize("shape", [(), (3,), MANY, (0, 2)])
@pytest.mark.parametrize("type_name", DTYPES)
def test_numbers_in_tensorflow(tf: Any, type_name: str, shape: tuple[int, ...]) -> None:
    assert_same_as_tensorflow(tf, numbers(type_name, shape, 3), type_name)


@pytest.mark.tf
def test_strings_in_tensorflow(tf: Any) -> None:
    array = np.array([[b"a", b"\xff"], [b"", b"b\0"]], object)
    assert_same_as_tensorflow(tf, array, "DT_STRING")
