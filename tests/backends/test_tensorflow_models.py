"""Loading SavedModels and running them, by either way into a session."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.placements import Placement, place_of
from gateway.backends.saved_model import SavedModel
from gateway.backends.tensorflow import (
    TensorFlowBackend,
    TensorFlowModel,
    import_tensorflow,
    tensorflow_api,
)
from gateway.errors import Code, ServingError
from tests import saved_models
from tests.backends.conftest import Export, Load
from tests.saved_model_edits import edit

pytestmark = pytest.mark.tf

X = np.float32([1, 2, 5])


def direct_outputs(path: Any, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """What TensorFlow's own loader and signature function answer."""
    tf = import_tensorflow()
    function = tf.saved_model.load(str(path)).signatures[signature]
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in function(**tensors).items()}


@pytest.mark.parametrize(
    ("exporter", "inputs"),
    [
        (saved_models.half_plus_two, {"x": X}),
        (saved_models.half_plus_two, {"x": X[:0]}),
        (
            saved_models.several_inputs_and_outputs,
            {
                "a": X,
                "b": np.arange(6).reshape(3, 2),
                "s": np.array([b"a", b"", "é".encode()], object),
            },
        ),
        (saved_models.strings, {"text": np.array([b"abc", b"\xff\0z"], object)}),
        (saved_models.variable_length, {"x": np.float32([[1, 2, 3], [4, 5, 6]])}),
        (saved_models.scalar_output, {"x": X}),
    ],
)
def test_answers_are_those_of_tensorflows_own_loader(
    load: Load, export: Export, exporter: Callable[..., None], inputs: dict[str, Any]
) -> None:
    outputs = load(exporter).runner("serving_default", "cpu:0")(inputs)
    expected = direct_outputs(export(exporter), "serving_default", inputs)
    assert outputs.keys() == expected.keys()
    for name, value in outputs.items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("name", saved_models.NUMERIC_DTYPES)
def test_every_numeric_dtype_comes_back_as_it_went_in(load: Load, name: str) -> None:
    model = load(saved_models.every_dtype)
    dtype = model.signatures[name].inputs["x"].dtype
    assert dtype.name == name
    x = np.array([[0, 1], [1, 0]]).astype(dtype)
    y = model.runner(name, "cpu:0")({"x": x})["y"]
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, x)


def test_any_layout_of_memory_is_taken(load: Load) -> None:
    run = load(saved_models.variable_length).runner("serving_default", "cpu:0")
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    for x in (grid[:, ::2], np.asfortranarray(grid), grid[::-1]):
        np.testing.assert_array_equal(run({"x": x})["doubled"], 2 * x)


def test_rank_zero_outputs_are_arrays(load: Load) -> None:
    mean = load(saved_models.scalar_output).runner("serving_default", "cpu:0")({"x": X})["mean"]
    assert (type(mean), mean.shape, mean.dtype) == (np.ndarray, (), np.float32)
    text = np.array([b"abc"], object)
    upper = load(saved_models.strings).runner("first", "cpu:0")({"text": text})["upper"]
    assert (upper.shape, upper.item()) == ((), b"ABC")


def test_declared_shapes_are_not_enforced(backend: TensorFlowBackend, export: Export) -> None:
    model = backend.load(export(saved_models.half_plus_two), ["cpu:0"])
    run = model.runner("serving_default", "cpu:0")
    np.testing.assert_array_equal(run({"x": X.reshape(3, 1)})["y"], (X / 2 + 2).reshape(3, 1))
    assert run({"x": np.array(1, np.float32)})["y"] == np.float32(2.5)
    model.close()


def test_a_missing_input_takes_its_default(load: Load) -> None:
    model = load(saved_models.with_default)
    run = model.runner("serving_default", "cpu:0")
    np.testing.assert_array_equal(model.signatures["serving_default"].defaults["bias"], [2.5])
    np.testing.assert_array_equal(run({"x": X})["y"], X + 2.5)
    np.testing.assert_array_equal(run({"x": X, "bias": np.float32([1])})["y"], X + 1)
    with pytest.raises(ServingError, match='input "x" is missing'):
        run({"bias": X})


def test_a_tensorflow_1_export(load: Load) -> None:
    model = load(saved_models.tf1_export)
    key = np.array([b"two", b"seven"], object)
    assert model.runner("serving_default", "cpu:0")({"x": X})["y"].tolist() == [2.5, 3, 4.5]
    assert model.runner("lookup", "cpu:0")({"key": key})["value"].tolist() == [2, -1]


def test_reference_dtypes_and_signatures_without_inputs(load: Load) -> None:
    model = load(saved_models.tf1_export)
    increment = model.runner("increment", "cpu:0")
    assert model.signatures["increment"].outputs["count"].type_name == "DT_FLOAT"
    counts = [increment({})["count"] for _ in range(3)]
    assert [count.tolist() for count in counts] == [[1, 1], [2, 2], [3, 3]]


def test_tensors_under_several_names(load: Load) -> None:
    model = load(saved_models.tf1_export)
    echo = model.runner("echo", "cpu:0")({"x": X})
    assert {name: value.tolist() for name, value in echo.items()} == {
        "x": [1, 2, 5],
        "y": [2.5, 3, 4.5],
        "again": [2.5, 3, 4.5],
    }
    twins = model.runner("twins", "cpu:0")({"a": X, "b": X.copy()})
    assert twins["y"].tolist() == [2.5, 3, 4.5]


def test_logical_cpu_devices_share_the_state_of_one_copy(load: Load) -> None:
    model = load(saved_models.counter)
    one, other = (model.runner("serving_default", device) for device in ("cpu:0", "cpu:1"))
    assert one({"x": np.int64([3])})["count"].tolist() == [3]
    assert other({"x": np.int64([4])})["count"].tolist() == [7]
    peek = model.runner("peek", "cpu:0")
    assert peek({"x": np.int64([9, 9])})["count"].tolist() == [7, 7]


def test_threads_run_one_model_at_once(load: Load) -> None:
    model = load(saved_models.variable_length)

    def runs(device: str) -> bool:
        run = model.runner("serving_default", device)
        batches = [np.full((5, 7), i, np.float32) for i in range(100)]
        return all((run({"x": x})["total"] == 7 * x[0, 0]).all() for x in batches)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(runs, ["cpu:0", "cpu:1"] * 2))


def test_initialiser_signatures_are_listed_but_not_runnable(load: Load) -> None:
    model = load(saved_models.half_plus_two)
    assert list(model.metadata) == ["__saved_model_init_op", "serving_default"]
    assert list(model.signatures) == ["serving_default"]
    with pytest.raises(ServingError, match="unsupported dtype DT_INVALID") as caught:
        model.runner("__saved_model_init_op", "cpu:0")
    assert caught.value.code is Code.FAILED_PRECONDITION


def test_unknown_signatures_and_devices_are_refused(load: Load) -> None:
    model = load(saved_models.half_plus_two)
    with pytest.raises(ServingError, match='there is no signature "other"'):
        model.runner("other", "cpu:0")
    with pytest.raises(ServingError, match="not loaded for device gpu:0"):
        model.runner("serving_default", "gpu:0")


@pytest.mark.parametrize("device", ["tpu:0", "cpu", "gpu:x", ""])
def test_devices_that_do_not_exist_are_refused(
    backend: TensorFlowBackend, export: Export, device: str
) -> None:
    with pytest.raises(ServingError, match="is no device"):
        backend.load(export(saved_models.half_plus_two), [device])


@pytest.mark.parametrize("direct", [True, False])
def test_a_placement_puts_the_graph_on_its_device(export: Export, direct: bool) -> None:
    api = tensorflow_api()
    config = api.config_pb2.ConfigProto(device_count={"CPU": 2}, allow_soft_placement=True)
    places = {"gpu:3": Placement("/device:CPU:1", config), "cpu": Placement("", config)}
    saved_model = SavedModel(api, export(saved_models.half_plus_two), ["serve"])
    model = TensorFlowModel(api, saved_model, places, direct=direct)
    for device, expected in (("gpu:3", {"/device:CPU:1"}), ("cpu:0", {""})):
        run = model.runner("serving_default", device)
        assert run({"x": X})["y"].tolist() == [2.5, 3, 4.5]
        graph: Any = model._copies[place_of(device)]
        assert {node.device for node in graph._graph.as_graph_def().node} == expected
    model.close()


def test_a_closed_model_runs_no_more(load: Load) -> None:
    model = load(saved_models.half_plus_two)
    run = model.runner("serving_default", "cpu:0")
    model.close()
    model.close()
    with pytest.raises(ServingError, match="the model version has been unloaded") as caught:
        run({"x": X})
    assert caught.value.code is Code.UNAVAILABLE
    with pytest.raises(ServingError, match="not loaded for device"):
        model.runner("serving_default", "cpu:0")


def test_a_signature_that_cannot_be_compiled_does_not_keep_others_from_running(
    backend: TensorFlowBackend, export: Export, tmp_path: Path
) -> None:
    path = tmp_path / "1"
    shutil.copytree(export(saved_models.half_plus_two), path)

    def add_signature(graph: Any) -> None:
        bad = graph.signature_def["bad"]
        bad.CopyFrom(graph.signature_def["serving_default"])
        bad.outputs["y"].name = "nothing:0"

    edit(path, add_signature)
    model = backend.load(path, ["cpu:0"])
    assert model.runner("serving_default", "cpu:0")({"x": X})["y"].tolist() == [2.5, 3, 4.5]
    with pytest.raises(ServingError, match=r"nothing:0, .* was not found"):
        model.runner("bad", "cpu:0")({"x": X})
    model.close()


def test_models_are_loaded_on_several_threads_at_once(
    any_backend: TensorFlowBackend, export: Export
) -> None:
    exporters = [saved_models.half_plus_two, saved_models.tf1_export] * 3
    paths = [export(exporter) for exporter in exporters]
    start = threading.Barrier(len(paths))

    def load_and_run(path: Path) -> list[float]:
        start.wait()
        model = any_backend.load(path, ["cpu:0"])
        answer = model.runner("serving_default", "cpu:0")({"x": X})["y"]
        model.close()
        return [float(value) for value in answer]

    with ThreadPoolExecutor(len(paths)) as threads:
        assert list(threads.map(load_and_run, paths)) == [[2.5, 3, 4.5]] * len(paths)


def test_loading_leaves_the_default_graph_empty(load: Load) -> None:
    load(saved_models.half_plus_two)
    assert not import_tensorflow().compat.v1.get_default_graph().get_operations()


def test_the_backend_knows_itself_and_its_devices(backend: TensorFlowBackend) -> None:
    assert backend.description == f"TensorFlow {import_tensorflow().__version__}"
    devices = backend.devices()
    cpus = [device for device in devices if device.startswith("cpu:")]
    assert cpus == [f"cpu:{i}" for i in range(len(cpus))]
    assert list(devices[-len(cpus) :]) == cpus


def test_without_the_private_call_the_public_one_is_taken(
    backend: TensorFlowBackend, export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow.python.client.session import BaseSession

    monkeypatch.delattr(BaseSession, "_make_callable_from_options")
    model = backend.load(export(saved_models.half_plus_two), ["cpu:0"])
    run = model.runner("serving_default", "cpu:0")
    assert run({"x": X})["y"].tolist() == [2.5, 3, 4.5]
    with pytest.raises(ServingError, match="must have the shape"):  # only Session.run says so
        run({"x": X.reshape(3, 1)})
    model.close()
