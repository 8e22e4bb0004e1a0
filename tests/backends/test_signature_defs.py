"""From SignatureDef protos to signatures and the metadata answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature
from gateway.backends.signature_defs import metadata, read_signature, tensor_names, unsupported
from gateway.backends.tensorflow import import_tensorflow

pytestmark = pytest.mark.tf

MakeInfo = Callable[..., Any]
Shape = tuple[int | None, ...] | None


@pytest.fixture(scope="module")
def info() -> MakeInfo:
    """Makes a TensorInfo; no shape at all is an unknown rank."""
    tf = import_tensorflow()
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

    def make(dtype: int, shape: Shape = (None,), name: str = "x:0") -> Any:
        proto = tf.TensorShape(shape).as_proto()
        return TensorInfo(name=name, dtype=dtype, tensor_shape=proto)

    return make


def definition(inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

    return SignatureDef(inputs=inputs, outputs=outputs, method_name="tensorflow/serving/predict")


def read(proto: Any, *, stateful: bool = False) -> Signature:
    return read_signature("s", proto, stateful=stateful, decode=import_tensorflow().make_ndarray)


@pytest.mark.parametrize(
    ("number", "name", "dtype"),
    [
        (1, "DT_FLOAT", np.float32),
        (9, "DT_INT64", np.int64),
        (7, "DT_STRING", object),
        (10, "DT_BOOL", np.bool_),
        (22, "DT_UINT32", np.uint32),
        (101, "DT_FLOAT", np.float32),
    ],
)
def test_dtypes_of_values_and_of_references(
    info: MakeInfo, number: int, name: str, dtype: Any
) -> None:
    spec = read(definition({"x": info(number)}, {"y": info(1)})).inputs["x"]
    assert (spec.type_name, spec.dtype) == (name, np.dtype(dtype))


@pytest.mark.parametrize(
    ("declared", "shape"), [(None, None), ((), ()), ((None, 3, None), (None, 3, None))]
)
def test_shapes(info: MakeInfo, declared: Shape, shape: Shape) -> None:
    assert read(definition({"x": info(1, declared)}, {"y": info(1)})).inputs["x"].shape == shape


@pytest.mark.parametrize(
    ("x", "y", "reason"),
    [
        ((None, 4), (None,), ""),
        (None, None, ""),
        ((), (None,), 'input "x" is a scalar'),
        ((None,), (), 'output "y" is a scalar'),
        ((3, None), (None,), 'input "x" has a fixed first dimension (3)'),
        ((None,), (1,), 'output "y" has a fixed first dimension (1)'),
    ],
)
def test_what_the_declared_shapes_say_against_batching(
    info: MakeInfo, x: Shape, y: Shape, reason: str
) -> None:
    signature = read(definition({"x": info(1, x)}, {"y": info(1, y)}))
    assert signature.unbatchable == reason


def test_state_and_the_lack_of_inputs_speak_against_batching(info: MakeInfo) -> None:
    changing = read(definition({"x": info(1)}, {"y": info(1)}), stateful=True)
    assert (changing.stateful, changing.unbatchable) == (True, "it changes the state of the model")
    assert read(definition({}, {"y": info(1)})).unbatchable == "it has no inputs"


@pytest.mark.parametrize("number", [0, 20, 21, 77])
def test_tensors_that_no_array_can_hold_are_unsupported(info: MakeInfo, number: int) -> None:
    reason = unsupported(definition({"x": info(1)}, {"y": info(number)}))
    names = {0: "DT_INVALID", 20: "DT_RESOURCE", 21: "DT_VARIANT", 77: "DT_77"}
    assert reason == f'output "y" has the unsupported dtype {names[number]}'


def test_sparse_and_absent_tensors_are_unsupported(info: MakeInfo) -> None:
    sparse = info(1, name="")
    sparse.coo_sparse.values_tensor_name = "v:0"
    assert unsupported(definition({"x": sparse}, {"y": info(1)})) == (
        'input "x" is not a dense tensor'
    )
    assert unsupported(definition({"x": info(1)}, {})) == "it has no outputs"
    assert unsupported(definition({}, {"y": info(1)})) == ""


def test_default_values_are_decoded(info: MakeInfo) -> None:
    proto = definition({"x": info(1)}, {"y": info(1)})
    proto.defaults["x"].CopyFrom(import_tensorflow().make_tensor_proto(np.float32([1.5, 2])))
    np.testing.assert_array_equal(read(proto).defaults["x"], np.float32([1.5, 2]))


def test_tensor_names_are_in_the_order_of_the_aliases(info: MakeInfo) -> None:
    names = tensor_names({"b": info(1, name="one:0"), "a": info(1, name="two:1")})
    assert list(names.items()) == [("a", "two:1"), ("b", "one:0")]


def test_metadata_is_what_tensorflow_serving_answers(info: MakeInfo) -> None:
    proto = definition({"x": info(1, (None, 2), "x:0")}, {"y": info(101, None, "y:0")})
    assert metadata({"serving_default": proto}) == {
        "serving_default": {
            "inputs": {
                "x": {
                    "dtype": "DT_FLOAT",
                    "tensor_shape": {
                        "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
                        "unknown_rank": False,
                    },
                    "name": "x:0",
                }
            },
            "outputs": {
                "y": {
                    "dtype": "DT_FLOAT_REF",
                    "tensor_shape": {"dim": [], "unknown_rank": True},
                    "name": "y:0",
                }
            },
            "method_name": "tensorflow/serving/predict",
            "defaults": {},
        }
    }
