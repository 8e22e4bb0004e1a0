"""Options of a backend, as session settings and as what sessions do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends import tensorflow
from gateway.backends.options import TensorFlowOptions
from gateway.backends.placements import Host, placements
from gateway.backends.session_config import configure
from gateway.backends.tensorflow import TensorFlowBackend, tensorflow_api
from gateway.errors import Code, ServingError
from tests import saved_models
from tests.backends.conftest import Export, PublicCallsBackend
from tests.saved_model_edits import edit

pytestmark = pytest.mark.tf


@pytest.fixture
def configured() -> Callable[..., Any]:
    def config(**options: Any) -> Any:
        proto = tensorflow_api().config_pb2.ConfigProto()
        configure(proto, TensorFlowOptions(**options))
        return proto

    return config


def test_nothing_is_set_by_default(configured: Callable[..., Any]) -> None:
    assert configured() == tensorflow_api().config_pb2.ConfigProto(allow_soft_placement=True)


def test_each_option_has_its_field(configured: Callable[..., Any]) -> None:
    config = configured(
        intra_op_parallelism=3,
        inter_op_parallelism=4,
        gpu_memory_fraction=0.25,
        mixed_precision="bfloat16",
    )
    rewrites = config.graph_options.rewrite_options
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (3, 4)
    assert config.gpu_options.per_process_gpu_memory_fraction == 0.25
    assert rewrites.auto_mixed_precision_onednn_bfloat16 == rewrites.ON


def test_a_session_config_file_is_the_base(configured: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "session.pbtxt"
    file.write_text("intra_op_parallelism_threads: 5\ninter_op_parallelism_threads: 6\n")
    config = configured(session_config_file=str(file), inter_op_parallelism=7)
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (5, 7)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            b"log_device_placement: true\nthreads: 5",
            ':2: Message type "tensorflow.ConfigProto" has no field named "threads".',
        ),
        (
            b"\n\nintra_op_parallelism_threads: x",
            ":3: 'intra_op_parallelism_threads: x': Couldn't parse integer: x",
        ),
        (b"gpu_options {", ':1: Expected "}".'),
        (b"\xff", ": not a text file"),
        (None, ": No such file or directory"),
    ],
)
def test_a_bad_session_config_file_is_told_in_one_line(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    file = tmp_path / "session.pbtxt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServingError) as caught:
        TensorFlowBackend(TensorFlowOptions(session_config_file=str(file)))
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, f"{file}{fault}")


def test_an_unknown_precision_is_refused(configured: Callable[..., Any]) -> None:
    with pytest.raises(ServingError, match="must be bfloat16, not 'float16'"):
        configured(mixed_precision="float16")


@pytest.mark.parametrize(
    ("cores", "served_on", "intra_op"),
    [
        (1, (), 1),
        (2, (), 1),
        (4, (), 1),
        (16, (), 1),
        (4, ("cpu:0",), 4),
        (16, ("cpu:0", "cpu:1", "cpu:2", "cpu:3"), 4),
        (2, ("cpu:0", "cpu:1", "cpu:2", "cpu:3"), 1),
        (8, ("gpu:0", "cpu:0", "cpu:1"), 4),
        (8, ("gpu:0",), 8),
    ],
)
def test_numbers_of_threads_follow_from_cores_and_devices(
    configured: Callable[..., Any], cores: int, served_on: tuple[str, ...], intra_op: int
) -> None:
    """Whatever devices the first model, which settles it for the process, is loaded for."""
    host = Host(cores, served_on)
    for devices in (["cpu:0"], ["cpu:0", "cpu:1"], ["gpu:0", "cpu:0"]):
        for place in placements(configured(), devices, host).values():
            assert place.config.intra_op_parallelism_threads == intra_op
            assert place.config.inter_op_parallelism_threads == cores


def test_numbers_of_threads_that_are_given_are_kept(configured: Callable[..., Any]) -> None:
    config = configured(intra_op_parallelism=2, inter_op_parallelism=3)
    [place] = placements(config, ["cpu:0"], Host(16)).values()
    threads = place.config.intra_op_parallelism_threads, place.config.inter_op_parallelism_threads
    assert threads == (2, 3)


def test_there_is_one_cpu_device_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorflow, "usable_cores", lambda: 3)
    devices = TensorFlowBackend().devices()
    assert [name for name in devices if name.startswith("cpu")] == ["cpu:0", "cpu:1", "cpu:2"]


def test_tags_choose_the_graph(export: Export, tmp_path: Path) -> None:
    path = Path(shutil.copytree(export(saved_models.half_plus_two), tmp_path / "1"))
    edit(path, lambda graph: graph.meta_info_def.tags.append("gpu"))
    for backend in (
        TensorFlowBackend(TensorFlowOptions(tags=("gpu", "serve"))),
        PublicCallsBackend(TensorFlowOptions(tags=("gpu", "serve"))),
    ):
        model = backend.load(path, ["cpu:0"])
        answer = model.runner("serving_default", "cpu:0")({"x": np.float32([1])})
        assert answer["y"].tolist() == [2.5]
        model.close()
    with pytest.raises(ServingError, match='no graph with the tags "gpu", "tpu"'):
        TensorFlowBackend(TensorFlowOptions(tags=("gpu", "tpu"))).load(path, ["cpu:0"])


SERVE = """
import os, sys
from pathlib import Path
import numpy as np
from gateway.backends.options import TensorFlowOptions
from gateway.backends.tensorflow import TensorFlowBackend

backend = TensorFlowBackend(TensorFlowOptions({options}))
model = backend.load(Path(sys.argv[1]), ["cpu:0"])
run = model.runner("serving_default", "cpu:0")
x = np.random.default_rng(1).random((3, 50), np.float32)
for _ in range(3):  # XLA compiles a shape when it comes again
    y = run({{"x": x}})
np.testing.assert_allclose(y["total"], x.sum(1), rtol={tolerance})
np.testing.assert_allclose(y["doubled"], 2 * x, rtol={tolerance})
model.close()
print(os.environ.get("TF_XLA_FLAGS"))
"""


@pytest.mark.parametrize(
    ("options", "tolerance", "flags"),
    [
        ("xla_cpu=True, xla_gpu=True", 1e-5, "--tf_xla_min_cluster_size=1 --tf_xla_cpu_global_jit"),
        ("mixed_precision='bfloat16'", 1e-2, "--tf_xla_min_cluster_size=1 --tf_xla_cpu_global_jit"),
    ],
)
def test_compiled_and_less_precise_models_answer_rightly(
    export: Export, options: str, tolerance: float, flags: str
) -> None:
    finished = subprocess.run(
        [
            sys.executable,
            "-c",
            SERVE.format(options=options, tolerance=tolerance),
            str(export(saved_models.variable_length)),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_XLA_FLAGS": "--tf_xla_min_cluster_size=1"},
        cwd=Path(__file__).parents[2],
        timeout=100,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (0, f"{flags}\n"), finished.stderr
