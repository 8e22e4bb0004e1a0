"""The warm-up requests of a config.pbtxt."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.backends.base import Signature, Tensors, TensorSpec
from gateway.config.triton.model import TritonModel, TritonTensor, WarmupInput, WarmupSample
from gateway.errors import Code, ServingError, invalid_argument
from gateway.models.samples import run_samples
from tests.gateway.fake_backend import by_name, spec

ZERO, RANDOM = WarmupInput("FP32", (4,), "zero"), WarmupInput("FP32", (4,), "random")


def signature(*inputs: TensorSpec, **fields: Any) -> Signature:
    specs = by_name(*(inputs or (spec("x", np.float32, 4),)))
    return Signature("serving_default", specs, by_name(spec("y")), **fields)


def from_file(name: str, datatype: str = "FP32", *dims: int) -> WarmupInput:
    return WarmupInput(datatype, dims, "file", name)


def model(folder: Path, *samples: WarmupSample, **fields: Any) -> TritonModel:
    return TritonModel(folder, warmup=samples, **({"max_batch_size": 8} | fields))


def sample(rows: int = 2, count: int = 1, **inputs: WarmupInput) -> WarmupSample:
    return WarmupSample("w", rows, count, inputs or {"x": ZERO})


class Runs:
    """What was run."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, NDArray[Any]]] = []

    def __call__(self, inputs: Tensors) -> dict[str, NDArray[Any]]:
        self.inputs.append(dict(inputs))
        return {"y": inputs["x"]}

    @property
    def x(self) -> NDArray[Any]:
        return self.inputs[-1]["x"]


def problem(triton: TritonModel, signed: Signature | None = None, run: Any = None) -> str:
    with pytest.raises(ServingError) as caught:
        run_samples(triton, signed or signature(), run or Runs())
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert caught.value.message.startswith('model_warmup "w": ')
    assert str(triton.folder) not in caught.value.message
    return caught.value.message.removeprefix('model_warmup "w": ')


def test_rows_and_counts(tmp_path: Path) -> None:
    runs = Runs()
    triton = model(tmp_path, sample(rows=3, count=2), sample(rows=1))
    assert run_samples(triton, signature(), runs) == 3
    assert [run["x"].shape for run in runs.inputs] == [(3, 4), (3, 4), (1, 4)]
    assert runs.x.dtype == np.float32
    assert not runs.x.any()


@pytest.mark.parametrize(
    ("size", "shape", "expected"),
    [(0, (4,), (4,)), (None, (4,), (4,)), (None, (None, 4), (2, 4)), (8, (None, 4), (2, 4))],
)
def test_the_axis_of_the_batch(
    tmp_path: Path, size: int | None, shape: tuple[int | None, ...], expected: tuple[int, ...]
) -> None:
    runs = Runs()
    x = TensorSpec("x", np.dtype(np.float32), "DT_FLOAT", shape)
    run_samples(model(tmp_path, sample(), max_batch_size=size), signature(x), runs)
    assert runs.x.shape == expected


def test_random_numbers_are_small_and_the_same_each_time(tmp_path: Path) -> None:
    runs = Runs()
    given = {"x": RANDOM, "i": WarmupInput("INT64", (100,), "random")}
    signed = signature(spec("x", np.float32, 4), spec("i", np.int64, 100))
    for _ in range(2):
        run_samples(model(tmp_path, sample(rows=1, **given)), signed, runs)
    first, second = runs.inputs
    assert np.array_equal(first["x"], second["x"])
    assert first["x"].any()
    assert 0 <= first["x"].min() <= first["x"].max() < 1
    assert set(first["i"].flat) == {0, 1}
    assert first["i"].dtype == np.int64


def test_strings(tmp_path: Path) -> None:
    runs = Runs()
    signed = signature(spec("x", object, 2), spec("z", object, 2))
    given = {"x": WarmupInput("BYTES", (2,), "random"), "z": WarmupInput("BYTES", (2,), "zero")}
    run_samples(model(tmp_path, sample(rows=1, **given)), signed, runs)
    assert all(isinstance(text, bytes) and len(text) == 1 for text in runs.x.flat)
    assert list(runs.inputs[0]["z"].flat) == [b"", b""]


def test_values_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "warmup" / "sub").mkdir(parents=True)
    row = np.array([1, 2, 3, 4], "<f4")
    (tmp_path / "warmup" / "sub" / "x.bin").write_bytes(row.tobytes())
    runs = Runs()
    given = from_file("sub/x.bin", "FP32", 4)
    run_samples(model(tmp_path, sample(rows=2, x=given)), signature(), runs)
    assert np.array_equal(runs.x, np.stack([row, row]))


def test_strings_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "warmup").mkdir()
    (tmp_path / "warmup" / "x").write_bytes(struct.pack("<I", 2) + b"ab" + struct.pack("<I", 0))
    runs = Runs()
    given = from_file("x", "BYTES", 2)
    run_samples(model(tmp_path, sample(rows=1, x=given)), signature(spec("x", object, 2)), runs)
    assert list(runs.x.flat) == [b"ab", b""]


def test_a_reshape(tmp_path: Path) -> None:
    runs = Runs()
    declared = {"x": TritonTensor("x", "FP32", (2, 2), reshape=(4,))}
    given = WarmupInput("FP32", (2, 2), "zero")
    run_samples(model(tmp_path, sample(x=given), inputs=declared), signature(), runs)
    assert runs.x.shape == (2, 4)


def test_a_reshape_that_does_not_fit(tmp_path: Path) -> None:
    declared = {"x": TritonTensor("x", "FP32", (2, 2), reshape=(4,))}
    given = WarmupInput("FP32", (3, 2), "zero")
    assert problem(model(tmp_path, sample(x=given), inputs=declared)) == (
        'input "x" has 6 values, but its shape is [4]'
    )


def test_what_a_sample_must_have(tmp_path: Path) -> None:
    two = signature(spec("x", np.float32, 4), spec("k"))
    assert problem(model(tmp_path, sample()), two) == 'it lacks the input "k"'
    assert problem(model(tmp_path, sample(x=ZERO, z=ZERO))) == 'the model has no input "z"'
    whole = model(tmp_path, sample(x=WarmupInput("INT32", (4,), "zero")))
    assert problem(whole) == 'input "x" has the data_type TYPE_INT32, but the model\'s is DT_FLOAT'


def test_a_default_may_be_left_out(tmp_path: Path) -> None:
    two = signature(spec("x", np.float32, 4), spec("k"), defaults={"k": np.zeros(1)})
    assert run_samples(model(tmp_path, sample()), two, Runs()) == 1


def test_a_run_that_fails(tmp_path: Path) -> None:
    def fail(inputs: Tensors) -> dict[str, NDArray[Any]]:
        raise invalid_argument("x is not to its taste")

    assert problem(model(tmp_path, sample()), run=fail) == "x is not to its taste"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "warmup").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(16))
    (folder / "warmup" / "link").symlink_to(tmp_path / "secret")
    (folder / "warmup" / "short").write_bytes(bytes(3))

    def told(name: str) -> str:
        return problem(model(folder, sample(x=from_file(name, "FP32", 4))))

    assert told("missing") == "missing cannot be read: No such file or directory"
    assert told("link") == "link leads out of the folder warmup"
    assert 'input "x" (short)' in told("short")
