"""Models that XLA compiles, through TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.options import TensorFlowOptions
from gateway.backends.placements import Host, placements
from gateway.backends.session_config import configure
from gateway.backends.tensorflow import (
    TensorFlowBackend,
    TensorFlowModel,
    import_tensorflow,
    tensorflow_api,
)
from tests.backends.conftest import Export
from tests.saved_model_exports import function, save, spec

pytestmark = pytest.mark.tf


def dense(path: Path) -> None:
    """x float32 [-1, 4] -> y [-1, 3]: two layers, and a lookup by strings that XLA cannot compile:
    word string [-1] -> length int32."""
    tf = import_tensorflow()
    random = np.random.default_rng(1)
    weights = [tf.Variable(random.random(shape, np.float32)) for shape in ((4, 8), (8, 3), (3,))]
    first, second, bias = weights

    def layers(x: Any) -> dict[str, Any]:
        hidden = tf.nn.relu(tf.matmul(x, first) - 1.0)
        return {"y": tf.nn.softmax(tf.nn.bias_add(tf.matmul(hidden, second), bias))}

    signatures = {
        "serving_default": function({"x": spec("float32", None, 4)}, layers),
        "length": function(
            {"word": spec("string", None)}, lambda word: {"length": tf.strings.length(word)}
        ),
    }
    save(path, signatures, weights=weights)


@pytest.fixture(scope="module")
def models(export: Export) -> Iterator[dict[str, TensorFlowModel]]:
    backend = TensorFlowBackend()
    folder = export(dense)
    both = {
        "plain": backend.load(folder, ["cpu:0"]),
        "compiled": backend.load(folder, ["cpu:0"], xla=True),
    }
    yield both
    for model in both.values():
        model.close()


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_answers_are_equal_however_often_a_shape_has_come(
    models: dict[str, TensorFlowModel], rows: int
) -> None:
    x = {"x": np.random.default_rng(rows).random((rows, 4), np.float32)}
    plain, compiled = (model.runner("serving_default", "cpu:0") for model in models.values())
    expected = plain(x)["y"]
    for _ in range(4):
        np.testing.assert_allclose(compiled(x)["y"], expected, rtol=1e-5)


def test_what_cannot_be_compiled_runs_as_it_is(models: dict[str, TensorFlowModel]) -> None:
    run = models["compiled"].runner("length", "cpu:0")
    for _ in range(3):
        assert run({"word": np.array([b"ab", b""], object)})["length"].tolist() == [2, 0]


def operations(model: TensorFlowModel) -> Counter[str]:
    """What runs of ``serving_default`` execute."""
    config_pb2 = tensorflow_api().config_pb2
    session = model._copies["cpu"]._session  # type: ignore[attr-defined]
    call = session._make_callable_from_options(
        config_pb2.CallableOptions(
            feed=["serving_default_x:0"],
            fetch=["StatefulPartitionedCall:0"],
            run_options=config_pb2.RunOptions(output_partition_graphs=True),
        )
    )
    metadata = config_pb2.RunMetadata()
    call(np.zeros((1, 4), np.float32), run_metadata=metadata)
    return Counter(node.op for graph in metadata.partition_graphs for node in graph.node)


def test_all_of_the_model_is_one_cluster(models: dict[str, TensorFlowModel]) -> None:
    """Fused products, which XLA does not know, would lie between several."""
    plain, compiled = map(operations, models.values())
    assert compiled["_XlaRun"] == 1
    assert not [op for op in compiled if "MatMul" in op]
    assert plain["_XlaRun"] == 0
    assert [op for op in plain if "FusedMatMul" in op]


@pytest.mark.parametrize(
    ("options", "compiled"),
    [
        ({}, []),
        ({"xla_cpu": True}, ["cpu"]),
        ({"xla_gpu": True}, ["gpu:0"]),
        ({"xla_cpu": True, "xla_gpu": True}, ["gpu:0", "cpu"]),
    ],
)
def test_the_servers_switches_are_for_one_kind_of_device(
    options: dict[str, bool], compiled: list[str]
) -> None:
    backend = TensorFlowBackend(TensorFlowOptions(**options))
    config = tensorflow_api().config_pb2.ConfigProto()
    kinds = backend._compiled(always=False)
    places = placements(config, ["gpu:0", "cpu:0"], Host(2), kinds)
    assert [name for name, place in places.items() if _compiles(place.config)] == compiled
    assert backend._compiled(always=True) == ["cpu", "gpu"]


def test_a_session_config_file_decides_about_gpus_alone(tmp_path: Path) -> None:
    file = tmp_path / "session.pbtxt"
    file.write_text("graph_options { optimizer_options { global_jit_level: ON_1 } }")
    config = tensorflow_api().config_pb2.ConfigProto()
    configure(config, TensorFlowOptions(session_config_file=str(file)))
    places = placements(config, ["gpu:0", "cpu:0"], Host(2))
    assert [name for name, place in places.items() if _compiles(place.config)] == ["gpu:0"]


def _compiles(config: Any) -> bool:
    return bool(config.graph_options.optimizer_options.global_jit_level == 1)
