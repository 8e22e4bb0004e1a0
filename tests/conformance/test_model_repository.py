"""A Triton model repository, as it is, on a real server: both layouts of a version folder, what is
refused, and Triton's client loading and unloading."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests import saved_models
from tests.conformance.server import Server, serving, until

BATCHED = """
platform: "tensorflow_savedmodel"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
response_cache { enable: true }
dynamic_batching {
  max_queue_delay_microseconds: 100 priority_levels: 2 default_priority_level: 1
}
model_warmup [ {
  name: "first" batch_size: 4
  inputs { key: "x" value { data_type: TYPE_FP32 dims: [ 1 ] random_data: true } }
} ]
"""
WHOLE = """
backend: "tensorflow"
input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] } ]
"""
MISMATCH = WHOLE.replace(
    "TYPE_FP32 dims: [ -1 ] } ]\noutput", "TYPE_FP32 dims: [ -1, 4 ] } ]\noutput"
)
PADDED = """
max_batch_size: 16
dynamic_batching { }
parameters {
  key: "tensorgate.padding" value { string_value: '{"x": {"axes": [1], "buckets": [8]}}' }
}
parameters {
  key: "tensorgate.trim" value { string_value: '{"doubled": {"1": "x:1"}}' }
}
"""
UNWARMED = """
max_batch_size: 4
model_warmup [ {
  name: "bad" batch_size: 1
  inputs { key: "x" value { data_type: TYPE_FP32 dims: [ ] input_data_file: "missing" } }
} ]
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel, x / 2 + 2."""
    path = tmp_path_factory.mktemp("exported") / "half"
    saved_models.half_plus_two(path)
    return path


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Path:
    """The folder of a repository; its parent is a working folder."""
    root = tmp_path_factory.mktemp("triton") / "models"
    for name, version, config in (
        ("nested", "1/model.savedmodel", BATCHED),
        ("flat", "3", WHOLE),
        ("auto", "7/model.savedmodel", None),
        ("mismatch", "1", MISMATCH),
        ("unwarmed", "1", UNWARMED),
        ("broken", "1", "max_batch_size: many"),
    ):
        shutil.copytree(exported, root / name / version)
        if config is not None:
            (root / name / "config.pbtxt").write_text(config)
    saved_models.variable_length(root / "padded" / "1" / "model.savedmodel")
    (root / "padded" / "config.pbtxt").write_text(PADDED)
    (root / "onnx" / "1").mkdir(parents=True)
    (root / "onnx" / "1" / "model.onnx").touch()
    return root


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    flags = ("--model-repository=models", "--strict-readiness=false", "--http-thread-count=4")
    with serving(repository.parent, *flags) as started:
        yield started


@pytest.mark.parametrize(
    ("model", "version"), [("nested", 1), ("flat", 3), ("auto", 7), ("auto/versions/7", 7)]
)
def test_models_answer_as_tensorflow_serving_does(server: Server, model: str, version: int) -> None:
    assert server.predict(model, {"instances": [1.0, 3.0]}).json == {"predictions": [2.5, 3.5]}
    assert server.is_available(model.partition("/")[0], version)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("mismatch", 'config.pbtxt: input "x" has the shape [-1,4], but the model\'s is [-1]'),
        ("unwarmed", 'model_warmup "bad": missing cannot be read: No such file or directory'),
    ],
)
def test_versions_that_are_refused_say_why(server: Server, model: str, reason: str) -> None:
    assert server.state(model, 1) == ("END", "FAILED_PRECONDITION", reason)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("broken", "config.pbtxt, line 1, column 17: "),
        ("onnx", "models of onnxruntime are not served (model.onnx)"),
    ],
)
def test_models_that_are_refused_say_why(server: Server, model: str, reason: str) -> None:
    answer = server.get(f"/v1/models/{model}")
    assert answer.status == 404
    assert f"Could not find any versions of model {model}: {reason}" in answer.json["error"]
    assert server.predict(model, {"instances": [1.0]}).status == 404


def test_readiness_without_strictness(server: Server) -> None:
    assert server.get("/readyz").status == 200


def test_padding_by_parameters(server: Server) -> None:
    inputs = {"instances": [[1.0, 2.0, 3.0]]}
    (row,) = server.predict("padded", inputs).json["predictions"]
    assert row == {"total": 6.0, "doubled": [2.0, 4.0, 6.0]}


def test_what_has_no_effect_is_told_at_the_start(server: Server) -> None:
    assert server.logged("note: model nested: response_cache.enable has no effect")
    assert server.logged("note: flag --http_thread_count has no effect")


@pytest.fixture(scope="module")
def controlled(
    tmp_path_factory: pytest.TempPathFactory, exported: Path
) -> Iterator[tuple[Server, Path]]:
    """In explicit mode, with the models ``a``, loaded, and ``b``; and the repository."""
    root = tmp_path_factory.mktemp("explicit") / "models"
    for name in ("a", "b"):
        shutil.copytree(exported, root / name / "1" / "model.savedmodel")
        (root / name / "config.pbtxt").write_text(BATCHED)
    flags = ("--model-store=models", "--model-control-mode=explicit", "--load-model=a")
    with serving(root.parent, *flags) as started:
        yield started, root


def index(client: triton.InferenceServerClient) -> dict[str, str]:
    return {row["name"]: row["state"] for row in client.get_model_repository_index()}


def test_models_are_loaded_and_unloaded_by_triton_s_client(
    controlled: tuple[Server, Path],
) -> None:
    server, root = controlled
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        assert client.is_server_ready()
        assert index(client)["a"] == "READY"
        assert not client.is_model_ready("b")
        client.load_model("b")
        assert client.is_model_ready("b", "1")
        x = triton.InferInput("x", [2, 1], "FP32").set_data_from_numpy(
            np.array([[1], [3]], np.float32)
        )
        y = client.infer("b", [x]).as_numpy("y")
        assert y is not None
        assert y.tolist() == [[2.5], [3.5]]
        client.unload_model("b")
        assert not client.is_model_ready("b")
        assert index(client)["b"] == "UNAVAILABLE"
        with pytest.raises(InferenceServerException, match="failed to poll from model repository"):
            client.load_model("c")
        shutil.copytree(root / "b", root / "late")
        assert index(client)["late"] == "UNAVAILABLE"
        (root / "b" / "config.pbtxt").write_text(MISMATCH)
        with pytest.raises(InferenceServerException, match="load failed for model 'b': version 1"):
            client.load_model("b")
        client.load_model("b", config='{"name": "b", "max_batch_size": 2}')
        assert client.get_model_config("b")["max_batch_size"] == 2
    until(lambda: server.predict("b", {"instances": [1.0]}).status == 200)
