"""What a model's config.pbtxt declares, held against the model itself.

The rules are Triton's (its TensorFlow backend): inputs are all named or none, outputs may be some,
-1 stands for any size, and a maximum batch size needs an axis for the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from gateway.backends.base import Signature, TensorSpec
from gateway.config.settings import ResolvedModel
from gateway.config.triton.model import DEFAULT_SIGNATURE, TritonModel, TritonTensor
from gateway.errors import Code, ServingError
from gateway.oip.datatypes import DATATYPES, shape_text

SAVED_MODEL_FOLDER = "model.savedmodel"
"""Of a version folder, unless default_model_filename names another (Triton)."""


def unusable(settings: ResolvedModel) -> ServingError | None:
    """Why a model cannot be served whatever its folders hold; None when it may be."""
    triton = settings.triton
    if triton is None or not triton.problem:
        return None
    return ServingError(Code.FAILED_PRECONDITION, triton.problem)


def saved_model_folder(version_folder: Path, triton: TritonModel | None) -> Path:
    """Where the SavedModel of a version is. Blocks. Raises ServingError (FAILED_PRECONDITION) when
    the folder that config.pbtxt names is missing."""
    if triton is None:
        return version_folder
    folder = version_folder / (triton.model_filename or SAVED_MODEL_FOLDER)
    if folder.is_dir():
        return folder
    if triton.model_filename:
        raise _refused(f"the version folder has no folder {triton.model_filename}")
    return version_folder


def check_declared(
    triton: TritonModel, signatures: Mapping[str, Signature], filled: Collection[str]
) -> None:
    """Raises ServingError (FAILED_PRECONDITION) where the two do not fit, naming the tensor. The
    inputs ``filled`` are made by the server."""
    signature = signatures.get(triton.signature)
    if signature is None:
        asks = triton.inputs or triton.outputs or triton.warmup or triton.max_batch_size
        if triton.signature == DEFAULT_SIGNATURE and not asks:
            return
        known = ", ".join(signatures) or "none"
        raise _refused(f'the model has no signature "{triton.signature}" (it has {known})')
    for problem in _problems(triton, signature, filled):
        raise _refused(f"config.pbtxt: {problem}")


def _problems(triton: TritonModel, signature: Signature, filled: Collection[str]) -> Iterator[str]:
    yield from _name_problems("input", triton.inputs, signature.inputs)
    yield from _name_problems("output", triton.outputs, signature.outputs)
    if triton.inputs:
        there = {*triton.inputs, *signature.defaults, *filled}
        for name in sorted(signature.inputs.keys() - there):
            yield f'the model\'s input "{name}" is not among the inputs'
    if triton.max_batch_size:
        yield from _batch_problems(triton.max_batch_size, signature)
    batched = bool(triton.max_batch_size)
    for kind, declared, specs in _kinds(triton, signature):
        for name, tensor in declared.items():
            yield from _tensor_problems(f'{kind} "{name}"', tensor, specs[name], batched=batched)


def _kinds(
    triton: TritonModel, signature: Signature
) -> tuple[tuple[str, Mapping[str, TritonTensor], Mapping[str, TensorSpec]], ...]:
    return (
        ("input", triton.inputs, signature.inputs),
        ("output", triton.outputs, signature.outputs),
    )


def _name_problems(
    kind: str, declared: Mapping[str, TritonTensor], specs: Mapping[str, TensorSpec]
) -> Iterator[str]:
    for name in declared:
        if name not in specs:
            yield f'the model has no {kind} "{name}" (it has {", ".join(specs) or "none"})'


def _batch_problems(max_batch_size: int, signature: Signature) -> Iterator[str]:
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        for name, spec in specs.items():
            if spec.shape is not None and spec.shape[:1] != (None,):
                yield (
                    f'max_batch_size is {max_batch_size}, but the model\'s {kind} "{name}" has no '
                    f"axis for the batch: its shape is {_text(spec.shape)}"
                )


def _tensor_problems(
    what: str, tensor: TritonTensor, spec: TensorSpec, *, batched: bool
) -> Iterator[str]:
    if tensor.datatype and DATATYPES[tensor.datatype].type_name != spec.type_name:
        declared = DATATYPES[tensor.datatype].config_name
        yield f"{what} has the data_type {declared}, but the model's is {spec.type_name}"
    dims = tensor.dims if tensor.reshape is None else tensor.reshape
    if not tensor.dims or spec.shape is None:
        return
    shape = (-1, *dims) if batched else dims
    fits = len(shape) == len(spec.shape) and all(
        size == -1 or own is None or size == own
        for size, own in zip(shape, spec.shape, strict=True)
    )
    if not fits:
        yield f"{what} has the shape {shape_text(shape)}, but the model's is {_text(spec.shape)}"


def _text(shape: tuple[int | None, ...]) -> str:
    return shape_text([-1 if size is None else size for size in shape])


def _refused(message: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, message)
