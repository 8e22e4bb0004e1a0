"""What config.pbtxt declares, held against the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature, TensorSpec
from gateway.config.triton.model import TritonModel, TritonTensor, WarmupSample
from gateway.errors import Code, ServingError
from gateway.models.declared import check_declared, saved_model_folder
from tests.gateway.fake_backend import by_name, spec


def signature(
    inputs: Mapping[str, TensorSpec] | None = None, outputs: Mapping[str, TensorSpec] | None = None
) -> Mapping[str, Signature]:
    """x [-1, 4] -> y [-1] by default."""
    made = Signature(
        "serving_default",
        inputs or by_name(spec("x", np.float32, 4)),
        outputs or by_name(spec("y")),
        defaults={"k": np.zeros(1)},
    )
    return {"serving_default": made}


def tensors(*made: TritonTensor) -> Mapping[str, TritonTensor]:
    return {tensor.name: tensor for tensor in made}


def declare(**fields: Any) -> TritonModel:
    return TritonModel(Path("/models/m"), **fields)


def problem(triton: TritonModel, signatures: Mapping[str, Signature] | None = None) -> str:
    with pytest.raises(ServingError) as caught:
        check_declared(triton, signatures or signature(), ())
    assert caught.value.code is Code.FAILED_PRECONDITION
    return caught.value.message


@pytest.mark.parametrize(
    ("size", "dims"),
    [
        (None, ()),
        (None, (-1, 4)),
        (None, (8, 4)),
        (0, (-1, 4)),
        (0, (-1, -1)),
        (8, (4,)),
        (8, (-1,)),
    ],
)
def test_shapes_that_fit(size: int | None, dims: tuple[int, ...]) -> None:
    declared = declare(max_batch_size=size, inputs=tensors(TritonTensor("x", "FP32", dims)))
    check_declared(declared, signature(), ())


@pytest.mark.parametrize(
    ("size", "dims", "shape"),
    [(0, (4,), "[4]"), (0, (-1, 5), "[-1,5]"), (8, (5,), "[-1,5]"), (8, (-1, 4), "[-1,-1,4]")],
)
def test_shapes_that_do_not(size: int, dims: tuple[int, ...], shape: str) -> None:
    declared = declare(max_batch_size=size, inputs=tensors(TritonTensor("x", "FP32", dims)))
    assert problem(declared) == (
        f'config.pbtxt: input "x" has the shape {shape}, but the model\'s is [-1,4]'
    )


def test_an_unknown_rank_fits_everything() -> None:
    free = TensorSpec("x", np.dtype(np.float32), "DT_FLOAT", None)
    declared = declare(max_batch_size=8, inputs=tensors(TritonTensor("x", "FP32", (1, 2, 3))))
    check_declared(declared, signature(by_name(free)), ())


def test_a_reshape_is_what_the_model_takes() -> None:
    good = TritonTensor("y", "FP32", (1,), reshape=())
    check_declared(declare(max_batch_size=8, outputs=tensors(good)), signature(), ())
    bad = TritonTensor("y", "FP32", (1,))
    assert "has the shape [-1,1]" in problem(declare(max_batch_size=8, outputs=tensors(bad)))


def test_types() -> None:
    assert problem(declare(inputs=tensors(TritonTensor("x", "INT32", ())))) == (
        'config.pbtxt: input "x" has the data_type TYPE_INT32, but the model\'s is DT_FLOAT'
    )
    text = signature(by_name(spec("x", object)))
    check_declared(declare(inputs=tensors(TritonTensor("x", "BYTES", ()))), text, ())


def test_names() -> None:
    assert problem(declare(inputs=tensors(TritonTensor("z", "", ())))) == (
        'config.pbtxt: the model has no input "z" (it has x)'
    )
    assert problem(declare(outputs=tensors(TritonTensor("z", "", ())))) == (
        'config.pbtxt: the model has no output "z" (it has y)'
    )


def test_inputs_are_all_named_or_none() -> None:
    several = signature(by_name(spec("x"), spec("mask"), spec("k")))
    declared = declare(inputs=tensors(TritonTensor("x", "", ())))
    assert problem(declared, several) == (
        'config.pbtxt: the model\'s input "mask" is not among the inputs'
    )
    # One with a default, and one that the batcher fills in, may be left out.
    check_declared(declared, several, {"mask"})
    check_declared(declare(), several, ())


def test_outputs_may_be_some() -> None:
    several = signature(outputs=by_name(spec("y"), spec("z")))
    check_declared(declare(outputs=tensors(TritonTensor("y", "", ()))), several, ())


@pytest.mark.parametrize("shape", [(), (1, 4)])
def test_a_batch_needs_an_axis(shape: tuple[int, ...]) -> None:
    fixed = TensorSpec("x", np.dtype(np.float32), "DT_FLOAT", shape)
    assert 'the model\'s input "x" has no axis for the batch' in problem(
        declare(max_batch_size=8), signature(by_name(fixed))
    )
    check_declared(declare(max_batch_size=0), signature(by_name(fixed)), ())


def test_signatures() -> None:
    other = {"other": signature()["serving_default"]}
    assert problem(declare(signature="none"), other) == (
        'the model has no signature "none" (it has other)'
    )
    check_declared(declare(signature="other", max_batch_size=4), other, ())
    # Without a word about it, TF Serving's doors can still ask the signatures that there are.
    check_declared(declare(), other, ())
    with pytest.raises(ServingError):
        check_declared(declare(warmup=(WarmupSample("w", 1, 1, {}),)), other, ())


# Where the SavedModel is.


def test_the_folder_of_a_version(tmp_path: Path) -> None:
    assert saved_model_folder(tmp_path, None) == tmp_path
    assert saved_model_folder(tmp_path, declare()) == tmp_path
    (tmp_path / "model.savedmodel").mkdir()
    assert saved_model_folder(tmp_path, declare()) == tmp_path / "model.savedmodel"
    assert saved_model_folder(tmp_path, None) == tmp_path, "TF Serving's layout has none"


def test_a_folder_that_is_named(tmp_path: Path) -> None:
    named = declare(model_filename="other")
    with pytest.raises(ServingError, match="the version folder has no folder other"):
        saved_model_folder(tmp_path, named)
    (tmp_path / "other").mkdir()
    (tmp_path / "model.savedmodel").mkdir()
    assert saved_model_folder(tmp_path, named) == tmp_path / "other"
