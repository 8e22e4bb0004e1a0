"""The messages of gRPC Predict, Classify, Regress and MultiInference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from batching import PackedInputs
from gateway.backends.base import Signature, TensorSpec
from gateway.codecs import tensor_proto_write
from gateway.codecs.examples_proto import parse_examples, parse_multi_inference
from gateway.codecs.model_spec import read_spec, write_spec
from gateway.codecs.predict_json import decode_inputs as decode_json
from gateway.codecs.predict_json import parse_predict as parse_json
from gateway.codecs.predict_proto import decode_inputs, encode_outputs, parse_predict
from gateway.codecs.tensor_proto import array_of, tensor_proto
from gateway.errors import Code, ServingError
from gateway.protos.serving import ModelSpec, PredictRequest, PredictResponse

TYPE_NAMES = {
    np.dtype(np.float32): "DT_FLOAT",
    np.dtype(np.int64): "DT_INT64",
    np.dtype(np.float16): "DT_HALF",
    np.dtype(np.bool_): "DT_BOOL",
    np.dtype(object): "DT_STRING",
}


def spec(alias: str, dtype: Any = np.float32) -> TensorSpec:
    found = np.dtype(dtype)
    return TensorSpec(alias, found, TYPE_NAMES[found], None)


def signature(*specs: TensorSpec) -> Signature:
    by_name = {one.name: one for one in specs}
    return Signature("serving_default", by_name, by_name)


def request(*, content: bool = False, **inputs: NDArray[Any]) -> Any:
    message = PredictRequest(model_spec={"name": "m"})
    for alias, array in inputs.items():
        proto = tensor_proto(array, TYPE_NAMES[array.dtype], tensor_content=content)
        message.inputs[alias].CopyFrom(proto)
    return message


def decoded(message: Any, *specs: TensorSpec) -> Any:
    return decode_inputs(parse_predict(message.SerializeToString()), signature(*specs))


def assert_same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.tolist() == expected.tolist()


VALUES = st.sampled_from([np.float32, np.int64, np.float16, np.bool_]).flatmap(
    lambda dtype: arrays.arrays(
        dtype,
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False} if dtype in (np.float32, np.float16) else None,
    )
) | arrays.arrays(object, arrays.array_shapes(max_dims=2, max_side=4), elements=st.binary())


@given(x=VALUES, y=VALUES, content=st.booleans())
def test_inputs_are_what_was_sent(x: NDArray[Any], y: NDArray[Any], content: bool) -> None:
    found = decoded(request(content=content, x=x, y=y), spec("x", x.dtype), spec("y", y.dtype))
    assert sorted(found) == ["x", "y"]
    assert_same(found["x"], x)
    assert_same(found["y"], y)


@given(outputs=st.dictionaries(st.text(max_size=300), VALUES, max_size=3), content=st.booleans())
def test_answers_are_messages(outputs: dict[str, NDArray[Any]], content: bool) -> None:
    specs = [spec(alias, array.dtype) for alias, array in outputs.items()]
    chosen = write_spec("m", 3, "s")
    data = encode_outputs(outputs, signature(*specs), [], chosen, tensor_content=content)
    answer = PredictResponse.FromString(data)
    assert answer.model_spec == ModelSpec(name="m", version={"value": 3}, signature_name="s")
    expected = {
        alias: tensor_proto(array, TYPE_NAMES[array.dtype], tensor_content=content)
        for alias, array in outputs.items()
    }
    assert dict(answer.outputs) == expected


def test_small_inputs_are_packed_as_those_of_rest_are() -> None:
    x = np.float32([[1, 2], [3, 4]])
    for content in (False, True):
        over_grpc = decoded(request(content=content, x=x), spec("x"))
        over_rest = decode_json(parse_json(b'{"instances":[[1,2],[3,4]]}'), signature(spec("x")))
        for packed in (over_grpc, over_rest):
            assert type(packed) is PackedInputs
            assert (packed.rows, packed.key) == (2, (("x", np.dtype(np.float32), (2,)),))
            assert list(packed.data) == [x.tobytes()]


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": np.float32(1)},
        {"x": np.zeros((0, 2), np.float32)},
        {"x": np.zeros((2, 0), np.float32)},
        {"x": np.zeros(2049, np.float32)},
        {"x": np.zeros(2, np.float32), "y": np.zeros(3, np.float32)},
    ],
)
def test_what_is_not_packed(inputs: dict[str, NDArray[Any]]) -> None:
    found = decoded(request(**inputs), *map(spec, inputs))
    assert type(found) is dict
    for alias, array in inputs.items():
        assert_same(found[alias], array)


def test_a_large_input_is_not_copied() -> None:
    message = request(content=True, x=np.zeros(5000, np.float32))
    found = decoded(message, spec("x"))["x"]
    assert not found.flags.owndata
    assert not found.flags.writeable


def test_optional_inputs() -> None:
    parsed = parse_predict(request(x=np.float32([1])).SerializeToString())
    both = signature(spec("x"), spec("mask"))
    assert list(decode_inputs(parsed, both, {"mask"})) == ["x"]
    with pytest.raises(ServingError, match=r"Missing but required: \{mask\}"):
        decode_inputs(parsed, both)


def test_defaults() -> None:
    parsed = parse_predict(request(x=np.float32([1])).SerializeToString())
    default = np.float32([7])
    known = Signature("s", {"x": spec("x"), "y": spec("y")}, {}, defaults={"y": default})
    assert decode_inputs(parsed, known)["y"] is default


def test_a_million_unknown_inputs_are_named_in_part() -> None:
    message = PredictRequest(model_spec={"name": "m"})
    for number in range(2000):
        message.inputs[f"a rather long name {number}"].dtype = 1
    with pytest.raises(ServingError, match="2000!=1") as caught:
        decoded(message, spec("x"))
    assert len(caught.value.message) < 6000


def test_an_answer_that_no_message_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_proto_write, "MAX_MESSAGE_BYTES", 90)
    outputs = {alias: np.zeros(20, np.float32) for alias in "xy"}
    with pytest.raises(ServingError, match="the answer takes") as caught:
        encode_outputs(outputs, signature(spec("x"), spec("y")), [], b"")
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_a_spec_in_pieces() -> None:
    pieces = [
        ModelSpec(name="m").SerializeToString(),
        ModelSpec(version_label="l").SerializeToString(),
    ]
    assert read_spec(pieces) == ("m", None, "l", "")


def test_a_long_spec_is_not_remembered() -> None:
    name = "n" * 1000
    assert read_spec([ModelSpec(name=name).SerializeToString()]).name == name


@pytest.mark.parametrize("parse", [parse_predict, parse_examples, parse_multi_inference])
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_request_or_refused(parse: Callable[[bytes], Any], data: bytes) -> None:
    codes: set[Code] = set()
    for body in (data, b"\x0a\x03\x0a\x01m" + data):
        try:
            message = parse(body)
            if parse is parse_predict:
                decode_inputs(message, signature(spec("x")))
            else:
                message.examples()
        except ServingError as error:
            codes.add(error.code)
    assert codes <= {Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED}


def test_round_trip_of_a_filter() -> None:
    outputs = {"x": np.float32([1]), "y": np.float32([2])}
    answer = PredictResponse.FromString(
        encode_outputs(outputs, signature(spec("x"), spec("y")), ["y"], b"")
    )
    assert list(answer.outputs) == ["y"]
    assert array_of(answer.outputs["y"]).tolist() == [2]
