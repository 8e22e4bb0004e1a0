"""TensorFlow Serving's own client package against real models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.backends.tensorflow import TensorFlowBackend, import_tensorflow
from gateway.config.settings import Settings
from tests.gateway.conftest import Repository
from tests.gateway.example_models import parses_examples
from tests.gateway.serving import serving
from tests.grpc.serving import GrpcClient, over_grpc

pytestmark = pytest.mark.tf

NAN = float("nan")


def every_dtype(path: Path) -> None:
    """``out_N`` is ``in_N``, for a dtype each."""
    tf = import_tensorflow()
    names = [
        *("float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64", "bool", "string", "complex64", "complex128"),
    ]
    specs = {f"in_{n}": tf.TensorSpec([None, 2], getattr(tf, n), name=f"in_{n}") for n in names}

    def copy(**inputs: Any) -> dict[str, Any]:
        return {f"out_{name}": tf.identity(inputs[f"in_{name}"]) for name in names}

    function = tf.function(copy, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(tf.Module(), str(path), signatures={"serving_default": function})


@pytest.fixture
def apis() -> Any:
    from tensorflow_serving import apis
    from tensorflow_serving.apis import (  # noqa: F401
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        model_management_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
        regression_pb2,
    )

    return apis


@pytest.fixture
def root(repository: Repository) -> Path:
    return repository(copies=every_dtype, examples=parses_examples)


@pytest.fixture
async def client(root: Path) -> AsyncIterator[GrpcClient]:
    """With a backend of its own: models are unloaded."""
    models = {name: {"base_path": str(root / name)} for name in ("copies", "examples")}
    settings = Settings.model_validate({"models": models, "warmup": False})
    backend = await asyncio.to_thread(TensorFlowBackend)
    async with serving(settings, backend) as rest, over_grpc(rest) as client:
        rest.gateway.manager.watch()
        yield client


@pytest.fixture
def prediction(apis: Any, client: GrpcClient) -> Any:
    return apis.prediction_service_pb2_grpc.PredictionServiceStub(client.channel)


def inputs(tf: Any) -> dict[str, Any]:
    numbers = {
        name: tf.constant([[0, 1], [2, 3]], getattr(tf, name))
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    }
    floats = {
        name: tf.constant([[0.5, -1.5], [2, NAN]], getattr(tf, name))
        for name in ("float32", "float64", "float16", "bfloat16")
    }
    others = {
        "bool": tf.constant([[True, False], [False, True]]),
        "string": tf.constant([[b"a", b""], [b"\xff", b"x" * 300]]),
        "complex64": tf.constant([[1 + 2j, 0], [3, -1j]], tf.complex64),
        "complex128": tf.constant([[1 + 2j, 0], [3, -1j]], tf.complex128),
    }
    return numbers | floats | others


@pytest.mark.parametrize("content", [False, True], ids=["typed", "content"])
async def test_predict_with_every_dtype(apis: Any, prediction: Any, content: bool) -> None:
    tf = import_tensorflow()
    request = apis.predict_pb2.PredictRequest()
    request.model_spec.name = "copies"
    sent = {name: value.numpy() for name, value in inputs(tf).items()}
    for name, array in sent.items():
        proto = tf.make_tensor_proto(array)
        if not content and name != "string":
            # The typed field, as other languages' clients fill it.
            proto = tf.make_tensor_proto(array.tolist(), getattr(tf, name))
        request.inputs[f"in_{name}"].CopyFrom(proto)
    answer = await prediction.Predict(request)
    assert answer.model_spec.version.value == 1
    assert len(answer.outputs) == len(sent)
    for name, array in sent.items():
        proto = answer.outputs[f"out_{name}"]
        assert not proto.tensor_content
        found = tf.make_ndarray(proto)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert [str(v) for v in found.ravel()] == [str(v) for v in array.ravel()]


def examples(message: Any) -> Any:
    message.model_spec.name = "examples"
    feature = message.input.example_list.examples.add().features.feature
    feature["x"].float_list.value.append(0.25)
    return message


async def test_classify_and_regress(apis: Any, prediction: Any) -> None:
    classified = await prediction.Classify(
        examples(apis.classification_pb2.ClassificationRequest())
    )
    (row,) = classified.result.classifications
    assert [(c.label, c.score) for c in row.classes] == [("low", 0.75), ("high", 0.25)]
    request = examples(apis.regression_pb2.RegressionRequest())
    request.model_spec.signature_name = "regress"
    regressed = await prediction.Regress(request)
    assert [r.value for r in regressed.result.regressions] == [0.25]


async def test_multi_inference(apis: Any, prediction: Any) -> None:
    request = apis.inference_pb2.MultiInferenceRequest()
    for signature, method in (("", "classify"), ("regress", "regress")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "examples", signature
    feature = request.input.example_list.examples.add().features.feature
    feature["x"].float_list.value.append(0.25)
    first, second = (await prediction.MultiInference(request)).results
    assert len(first.classification_result.classifications) == 1
    assert second.regression_result.regressions[0].value == 0.25


async def test_metadata(apis: Any, prediction: Any) -> None:
    messages = apis.get_model_metadata_pb2
    request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "examples"
    answer = await prediction.GetModelMetadata(request)
    signatures = messages.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)
    found = signatures.signature_def["serving_default"]
    assert found.inputs["inputs"].dtype == import_tensorflow().string.as_datatype_enum
    assert set(found.outputs) == {"classes", "scores"}


async def test_status_and_reload(apis: Any, client: GrpcClient, root: Path) -> None:
    stub = apis.model_service_pb2_grpc.ModelServiceStub(client.channel)
    status = apis.get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "copies"
    (version,) = (await stub.GetModelStatus(status)).model_version_status
    assert (version.version, version.State.Name(version.state)) == (1, "AVAILABLE")
    request = apis.model_management_pb2.ReloadConfigRequest()
    config = request.config.model_config_list.config.add(name="renamed")
    config.base_path, config.model_platform = str(root / "examples"), "tensorflow"
    answer = await stub.HandleReloadConfigRequest(request)
    assert answer.status.error_code == 0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetModelStatus(status)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    status.model_spec.name = "renamed"
    (version,) = (await stub.GetModelStatus(status)).model_version_status
    assert version.State.Name(version.state) == "AVAILABLE"
