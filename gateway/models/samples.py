"""The warm-up requests of a config.pbtxt: run before a version takes its first request. A sample
that fails, fails the load (Triton)."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.config.triton.folders import file_inside
from gateway.config.triton.model import TritonModel, WarmupInput, WarmupSample
from gateway.errors import Code, ServingError
from gateway.oip.binary import read_tensor
from gateway.oip.datatypes import DATATYPES, shape_text
from gateway.oip.interface import reshaped

WARMUP_FOLDER = "warmup"
"""Of the model's folder; holds the input_data_files."""
MAX_FILE_BYTES = 2**31 - 1


def run_samples(triton: TritonModel, signature: Signature, run: RunFunction) -> int:
    """Run all samples in the calling thread; how many runs that were. Raises ServingError, naming
    the sample."""
    runs = 0
    for sample in triton.warmup:
        try:
            inputs = _inputs(sample, triton, signature)
            for _ in range(sample.count):
                run(inputs)
        except ServingError as error:
            message = f'model_warmup "{sample.name}": {error.message}'
            raise ServingError(Code.FAILED_PRECONDITION, message) from error
        runs += sample.count
    return runs


def _inputs(sample: WarmupSample, triton: TritonModel, signature: Signature) -> Tensors:
    missing = signature.inputs.keys() - sample.inputs.keys() - signature.defaults.keys()
    if missing:
        raise _refused(f'it lacks the input "{min(missing)}"')
    if strangers := sample.inputs.keys() - signature.inputs.keys():
        raise _refused(f'the model has no input "{min(strangers)}"')
    return {name: _array(name, sample, signature.inputs[name], triton) for name in sample.inputs}


def _array(name: str, sample: WarmupSample, spec: TensorSpec, triton: TritonModel) -> NDArray[Any]:
    given, declared = sample.inputs[name], triton.inputs.get(name)
    row = _row(name, given, spec, triton.folder)
    if declared is not None and declared.reshape is not None:
        shape = reshaped(row.shape, declared.dims, declared.reshape, batched=False)
        row = row.reshape(_checked(name, row, shape))
    return np.repeat(row[np.newaxis], sample.rows, axis=0) if _is_row(row, spec, triton) else row


def _is_row(array: NDArray[Any], spec: TensorSpec, triton: TritonModel) -> bool:
    """Whether the dimensions of a sample leave out an axis for the batch."""
    if triton.max_batch_size is not None:
        return triton.max_batch_size > 0
    return spec.shape is None or len(spec.shape) > array.ndim


def _checked(name: str, row: NDArray[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(shape) != row.size:
        raise _refused(
            f'input "{name}" has {row.size} values, but its shape is {shape_text(shape)}'
        )
    return shape


def _row(name: str, given: WarmupInput, spec: TensorSpec, folder: Path) -> NDArray[Any]:
    datatype = DATATYPES[given.datatype]
    if datatype.type_name != spec.type_name:
        raise _refused(
            f'input "{name}" has the data_type {datatype.config_name}, but the model\'s is '
            f"{spec.type_name}"
        )
    if given.data == "file":
        what = f'input "{name}" ({given.file})'
        return read_tensor(_content(folder, given.file), datatype, given.dims, what)
    return _invented(name, given, spec)


def _invented(name: str, given: WarmupInput, spec: TensorSpec) -> NDArray[Any]:
    """Zeros and empty strings; or random values that a model can take for indices and flags (0 or
    1), numbers from 0 to 1, and one-letter strings. The same ones at each load."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if spec.is_string:
        array: NDArray[Any] = np.empty(given.dims, object)
        letters = random.integers(97, 123, array.size) if given.data == "random" else ()
        array.fill(b"")
        for place, letter in enumerate(letters):
            array.flat[place] = bytes([letter])
        return array
    if given.data == "zero":
        return np.zeros(given.dims, spec.dtype)
    if spec.dtype.kind in "biu":
        return random.integers(0, 2, given.dims).astype(spec.dtype)
    return random.random(given.dims).astype(spec.dtype)


def _content(folder: Path, name: str) -> bytes:
    path = file_inside(folder / WARMUP_FOLDER, name)
    if path is None:
        raise _refused(f"{name} leads out of the folder {WARMUP_FOLDER}")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _refused(f"{name} cannot be read: {reason}") from error
    if len(content) > MAX_FILE_BYTES:
        raise _refused(f"{name} has more than {MAX_FILE_BYTES} bytes")
    return content


def _refused(message: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, message)
