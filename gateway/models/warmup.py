"""Invented inputs: to warm a signature up before real requests come, and to find out whether rows
of different requests may share a run. numpy only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.errors import ServingError
from gateway.models.comparison import array_difference

_WARM_UP_LENGTHS = (1, 8, 64, 1024)
_PROBE_LENGTHS = (8, 64, 1024)
"""Sizes to try, until a run succeeds, for unknown dimensions other than the first."""
_PROBE_TEXTS = ((b"a", b"some other words"), (b"1", b"200"), (b"", b""))
"""Strings of the two rows of a probe at each try: words, numbers, empty tf.Examples."""
_QUIET, _LOUD, _ORDINARY = 1e-3, 1e3, 1.0
"""Scales of the rows of a probe. Two so far apart show a maximum over the batch even when it only
cuts off what is 80 dB or more below it."""
_SEED = 20260101


@dataclass(frozen=True, slots=True)
class WarmupReport:
    """What a warm-up did."""

    seconds: float
    runs: int
    failures: list[str] = field(default_factory=list)
    """One line for each batch size that no run succeeded with."""


def synthetic_inputs(
    signature: Signature, rows: int, *, length: int = 1
) -> dict[str, NDArray[Any]]:
    """``rows`` rows of zeros, and of empty strings, for every input.

    ``length`` is the size of unknown dimensions other than the first. Declared sizes are kept,
    also in the first dimension. An input of unknown rank gets one value a row.
    """
    return {
        name: _filled(_shape(spec, rows, length), spec, b"")
        for name, spec in signature.inputs.items()
    }


def warm_up(run: RunFunction, signature: Signature, sizes: Sequence[int]) -> WarmupReport:
    """Run each batch size once with invented inputs; a size that fails is tried with other
    lengths. Never raises. A stateful signature is left alone."""
    started = time.perf_counter()
    runs = 0
    failures: list[str] = []
    lengths = _WARM_UP_LENGTHS if _has_free_length(signature) else (1,)
    for rows in () if signature.stateful else sizes:
        failure = ""
        for length in lengths:
            runs += 1
            failure = _failure(run, synthetic_inputs(signature, rows, length=length))
            if not failure:
                lengths = (length,)
                break
        if failure:
            failures.append(f"batch size {rows}: {failure}")
    return WarmupReport(time.perf_counter() - started, runs, failures)


def probe_batch_independence(run: RunFunction, signature: Signature) -> str:
    """Why rows of different requests may not share a run; empty if they may or it cannot be told.

    Runs two different rows alone and together: each must get the same answer both times, to within
    what other kernels for other shapes may change. Three runs of one or two rows, up to three more
    to find values that the model takes, one more to make sure of a difference.
    """
    if signature.stateful or not _takes_rows(signature):
        return ""
    for attempt in range(len(_PROBE_LENGTHS)):
        row = _probe_row(signature, attempt, _QUIET)
        answer = _answer(run, row)
        if answer is not None and all(value.size for value in answer.values()):
            return _compare_with_others(run, signature, attempt, row, answer)
    return ""


def _compare_with_others(
    run: RunFunction, signature: Signature, attempt: int, row: Tensors, answer: Tensors
) -> str:
    for scale in (_LOUD, _ORDINARY):
        other = _probe_row(signature, attempt, scale)
        if (others_answer := _answer(run, other)) is not None:
            return _difference(run, [row, other], [answer, others_answer])
    return ""


def _difference(run: RunFunction, rows: Sequence[Tensors], alone: Sequence[Tensors]) -> str:
    both = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    try:
        together = run(both)
    except ServingError as error:
        return f"two rows that run alone fail together: {error.message}"
    if reason := _miscount(alone[0], 1) or _miscount(together, 2):
        return reason
    for name, value in together.items():
        if not all(_agree(answer[name], value[i : i + 1]) for i, answer in enumerate(alone)):
            repeated = _answer(run, rows[0])
            if repeated is None or not _agree(alone[0][name], repeated[name]):
                return ""  # random: nothing can be told from it
            return f'output "{name}" of a row depends on the rows beside it'
    return ""


def _miscount(outputs: Tensors, rows: int) -> str:
    for name, value in outputs.items():
        if value.ndim == 0:
            return f'output "{name}" is a scalar'
        if len(value) != rows:
            return f'output "{name}" has {len(value)} rows for {rows}'
    return ""


def _agree(one: NDArray[Any], other: NDArray[Any]) -> bool:
    precise = one.dtype.kind != "V" and one.dtype.itemsize >= 4
    return not array_difference(one, other, 1e-3 if precise else 3e-2)


def _probe_row(signature: Signature, attempt: int, scale: float) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(_SEED)
    first = scale == _QUIET
    row: dict[str, NDArray[Any]] = {}
    for name, spec in signature.inputs.items():
        shape = _shape(spec, 1, _PROBE_LENGTHS[attempt])
        if spec.is_string:
            row[name] = _filled(shape, spec, _PROBE_TEXTS[attempt][not first])
        elif spec.dtype.kind in "biu":
            row[name] = _small_integers(random, shape, first, attempt).astype(spec.dtype)
        else:
            row[name] = (random.random(shape) * scale).astype(spec.dtype)
    return row


def _small_integers(
    random: np.random.Generator, shape: tuple[int, ...], first: bool, attempt: int
) -> NDArray[Any]:
    """Valid as indices and tokens: zeros and ones in the first row, ones in the second. At later
    attempts only ones: zeros may have been refused as lengths."""
    if attempt or not first:
        return np.ones(shape)
    integers = random.integers(0, 2, shape)
    integers.flat[:1] = 0  # never all ones
    return integers


def _answer(run: RunFunction, inputs: Tensors) -> Tensors | None:
    try:
        return run(inputs)
    except ServingError:
        return None


def _failure(run: RunFunction, inputs: Tensors) -> str:
    try:
        run(inputs)
    except ServingError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - no invented input may keep a model from serving
        return type(error).__name__
    return ""


def _takes_rows(signature: Signature) -> bool:
    shapes = [spec.shape for spec in signature.inputs.values()]
    return bool(shapes) and all(shape is None or shape[:1] == (None,) for shape in shapes)


def _has_free_length(signature: Signature) -> bool:
    shapes = [spec.shape or () for spec in signature.inputs.values()]
    return any(None in shape[1:] for shape in shapes)


def _shape(spec: TensorSpec, rows: int, length: int) -> tuple[int, ...]:
    sizes = (None,) if spec.shape is None else spec.shape
    return tuple(
        (length if axis else rows) if size is None else size for axis, size in enumerate(sizes)
    )


def _filled(shape: tuple[int, ...], spec: TensorSpec, text: bytes) -> NDArray[Any]:
    if not spec.is_string:
        return np.zeros(shape, spec.dtype)
    array = np.empty(shape, object)
    array.fill(text)
    return array
