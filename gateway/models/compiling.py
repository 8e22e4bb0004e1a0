"""Models that XLA compiles: for which shapes, all of them before a version takes requests."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.config.settings import PadSettings, ResolvedModel
from gateway.errors import ServingError, invalid_argument

logger = logging.getLogger(__name__)

MOST_SHAPES = 64
"""Of one signature: each takes from a tenth of a second to several to compile."""

# TensorFlow, device_compilation_profiler.cc.
_RUNS_UNTIL_COMPILED = 2
_SHAPES_WITHOUT_PROOF = 10
_RUNS_A_SHAPE = 50
"""What has been compiled for more shapes than that, and ran less often for each, is never compiled
again."""
_PROBED_SHAPES = 2
"""That the check whether rows may share a batch has compiled already, at most."""

Shapes = Mapping[str, tuple[int, ...]]
"""By input."""
Dimension = tuple[tuple[int, ...], int]
"""Padding buckets and the position in ``axes``. Axes that have both in common, those of tokens and
of their mask, say, are taken to be equally long in every batch."""


@dataclass(frozen=True, slots=True)
class CompileReport:
    """What was compiled."""

    seconds: float
    shapes: int
    failures: list[str] = field(default_factory=list)
    """One line for each shape that no run succeeded with."""


def with_batch_sizes(settings: ResolvedModel) -> ResolvedModel:
    """``settings`` with sizes to fill batches up to: powers of two where none are given."""
    if settings.allowed_batch_sizes:
        return settings
    most = settings.max_batch_size
    sizes = (*(2**power for power in range((most - 1).bit_length())), most)
    logger.info(
        "batches are filled up to the sizes that XLA compiles for",
        extra={"model": settings.name, "allowed_batch_sizes": list(sizes)},
    )
    return settings.model_copy(update={"allowed_batch_sizes": sizes})


def shapes_to_compile(settings: ResolvedModel, signature: Signature) -> list[Shapes]:
    """Every shape that a batch of ``signature`` can have, the smallest first.

    Raises ServingError (INVALID_ARGUMENT) when they are not known ahead, or too many. Rows longer
    than the last padding bucket are left out: TensorFlow compiles for them when they come.
    """
    dimensions = dict(_dimensions(settings, signature))
    lengths = {dimension: dimension[0] for dimension in dimensions.values()}
    sizes = settings.allowed_batch_sizes
    count = len(sizes) * math.prod(map(len, lengths.values()))
    if count > MOST_SHAPES:
        raise invalid_argument(
            f'xla: signature "{signature.name}" would be compiled for {count} shapes, which is more '
            f"than {MOST_SHAPES}; give fewer allowed_batch_sizes or padding buckets"
        )
    found: list[Shapes] = []
    for chosen in itertools.product(*lengths.values()):
        length = dict(zip(lengths, chosen, strict=True))
        of_axis = {place: length[dimension] for place, dimension in dimensions.items()}
        found += [_shapes(signature, rows, of_axis) for rows in sizes]
    return found


def compile_ahead(
    run: RunFunction, signature: Signature, shapes: Sequence[Shapes]
) -> CompileReport:
    """Run ones (or zeros where the model refuses those) of all ``shapes`` until each is compiled.
    Never raises."""
    started = time.perf_counter()
    failures: list[str] = []
    cheapest: Tensors | None = None
    runs = 0
    for number, shape in enumerate(shapes, start=1 + _PROBED_SHAPES):
        while cheapest and number > _SHAPES_WITHOUT_PROOF and runs < number * _RUNS_A_SHAPE:
            run(cheapest)
            runs += 1
        try:
            inputs = _accepted(run, signature, shape)
        except ServingError as error:
            failures.append(f"{_text(shape)}: {error.message}")
            continue
        for _ in range(_RUNS_UNTIL_COMPILED):
            run(inputs)
        runs += 1 + _RUNS_UNTIL_COMPILED
        cheapest = cheapest or inputs
    return CompileReport(time.perf_counter() - started, len(shapes) - len(failures), failures)


def _accepted(run: RunFunction, signature: Signature, shapes: Shapes) -> Tensors:
    """Inputs that were run once. Raises the ServingError of the last that failed."""
    ones = _filled(signature, shapes, 1)
    try:
        run(ones)
    except ServingError:
        zeros = _filled(signature, shapes, 0)
        run(zeros)
        return zeros
    return ones


def _filled(signature: Signature, shapes: Shapes, number: int) -> Tensors:
    return {
        name: np.full(shapes[name], b"" if spec.is_string else number, spec.dtype)
        for name, spec in signature.inputs.items()
    }


def _dimensions(
    settings: ResolvedModel, signature: Signature
) -> Iterator[tuple[tuple[str, int], Dimension]]:
    """By input and axis, for those of undeclared size but for axis 0."""
    for name, spec in signature.inputs.items():
        if spec.shape is None:
            raise _unknown(signature, name, "may have any shape")
        for axis in _free_axes(spec):
            dimension = _dimension(settings.padding, name, axis)
            if dimension is None:
                what = f"may have any size on axis {axis}"
                raise _unknown(signature, name, what, f"; give padding.{name}.buckets for it")
            yield (name, axis), dimension


def _dimension(padding: Mapping[str, PadSettings], name: str, axis: int) -> Dimension | None:
    rule = padding.get(name)
    if rule is not None and rule.buckets and axis in rule.axes:
        return rule.buckets, rule.axes.index(axis)
    for owner in padding.values():
        if owner.mask_input == name and owner.buckets and axis == 1:
            return owner.buckets, 0
    return None


def _unknown(signature: Signature, name: str, what: str, remedy: str = "") -> ServingError:
    return invalid_argument(
        f"xla compiles for each shape ahead, but "
        f'input "{name}" of signature "{signature.name}" {what}{remedy}'
    )


def _free_axes(spec: TensorSpec) -> list[int]:
    return [axis for axis, size in enumerate(spec.shape or ()) if axis and size is None]


def _shapes(signature: Signature, rows: int, lengths: Mapping[tuple[str, int], int]) -> Shapes:
    return {
        name: tuple(
            (lengths[name, axis] if axis else rows) if size is None else size
            for axis, size in enumerate(spec.shape or ())
        )
        for name, spec in signature.inputs.items()
    }


def _text(shapes: Shapes) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
