"""From a model's settings and a signature to the batching policy of its queue."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from batching import BatchPolicy, LevelPolicy, Padding, PadInput
from gateway.backends.base import Signature, TensorSpec
from gateway.config.fields import AutoSize
from gateway.config.settings import PadSettings, ResolvedModel
from gateway.errors import ServingError, invalid_argument

MOST_BATCH_SIZE = 512
MOST_BATCH_BYTES = 64 * 1024 * 1024
"""Of one batch's inputs, where the most rows are found out while serving."""


def batch_policy(settings: ResolvedModel, signature: Signature, alone_because: str) -> BatchPolicy:
    """The rules for one signature. ``alone_because`` is a reason not to batch, or empty."""
    most = most_rows(settings, signature)
    return BatchPolicy(
        enabled=not alone_because,
        max_batch_size=most,
        adaptive=settings.adaptive_batching,
        first_batch_size=int(settings.max_batch_size) if most > settings.max_batch_size else None,
        batch_timeout=settings.batch_timeout_ms / 1000,
        max_queue_rows=settings.max_queue_rows,
        queue_budget=settings.queue_budget_ms / 1000 or math.inf,
        allowed_batch_sizes=tuple(settings.allowed_batch_sizes),
        split=settings.split_large_requests,
        padding=_padding(settings, signature),
        isolate=settings.isolate_failures and not signature.stateful,
        **_waiting(settings),
    )


def _waiting(settings: ResolvedModel) -> dict[str, Any]:
    """How requests wait. Without rules of their own they only wait in order of arrival: a time-out
    that a request asks for takes none (``gateway.inference``)."""
    rules: dict[str, Any] = {
        "priority_levels": settings.priority_levels,
        "default_priority_level": settings.default_priority_level or settings.priority_levels,
        "queue_timeout": settings.queue_timeout_us / 1e6,
        "max_queue_size": settings.max_queue_size,
        "level_policies": {
            level: LevelPolicy(
                rule.timeout_us / 1e6,
                rule.timeout_action,
                rule.allow_timeout_override,
                rule.max_queue_size,
            )
            for level, rule in settings.priority_queue_policies.items()
        },
    }
    if any(rules.values()):
        rules["queue_timeout_action"] = settings.queue_timeout_action
        rules["allow_timeout_override"] = settings.allow_timeout_override
    rules["relief_every"] = settings.relief_every
    rules["preserve_ordering"] = settings.preserve_ordering
    return rules


def most_rows(settings: ResolvedModel, signature: Signature) -> int:
    """The most rows that a batch of the signature may have."""
    most = settings.max_batch_size
    finds_out = isinstance(most, AutoSize) and settings.adaptive_batching
    if not finds_out or settings.allowed_batch_sizes:
        return int(most)
    within_bytes = MOST_BATCH_BYTES // _row_bytes(signature)
    return max(int(most), min(MOST_BATCH_SIZE, within_bytes, settings.max_queue_rows))


def _row_bytes(signature: Signature) -> int:
    """Of all inputs; what is not declared counts as one."""
    shapes = ((spec, spec.shape or ()) for spec in signature.inputs.values())
    sizes = (
        spec.dtype.itemsize * math.prod(size or 1 for size in shape[1:]) for spec, shape in shapes
    )
    return sum(sizes) or 1


def warmup_sizes(settings: ResolvedModel, alone_because: str) -> tuple[int, ...]:
    """Batch sizes to run once before a version takes requests: every allowed one, or the ends of
    the range when any size is allowed."""
    if alone_because:
        return (1,)
    return tuple(settings.allowed_batch_sizes) or tuple(sorted({1, int(settings.max_batch_size)}))


def check_padding(settings: ResolvedModel, signatures: Mapping[str, Signature]) -> None:
    """Refuse padding rules for names that no signature has."""
    inputs = {name for signature in signatures.values() for name in signature.inputs}
    outputs = {name for signature in signatures.values() for name in signature.outputs}
    for kind, named, known in (
        ("padding", set(settings.padding), inputs),
        ("padding", filled_inputs(settings), inputs),
        ("trim", set(settings.trim), outputs),
    ):
        if unknown := named - known:
            raise _unknown(kind, unknown, known)


def _unknown(kind: str, unknown: set[str], known: set[str]) -> ServingError:
    return invalid_argument(
        f"{kind} names {', '.join(sorted(unknown))}, but the model has {', '.join(sorted(known))}"
    )


def filled_inputs(settings: ResolvedModel) -> set[str]:
    """Masks and lengths that the batcher fills in for requests that leave them out."""
    names = (n for rule in settings.padding.values() for n in (rule.mask_input, rule.length_input))
    return {name for name in names if name}


def _padding(settings: ResolvedModel, signature: Signature) -> Padding | None:
    inputs = {
        name: _pad_input(rule, signature)
        for name, rule in settings.padding.items()
        if name in signature.inputs
    }
    guessed: dict[str, dict[int, tuple[str, int]]] = {}
    if settings.pad_variable_length_inputs:
        inputs |= {n: PadInput(axes) for n, axes in _free_axes(signature.inputs, inputs).items()}
        guessed = _guessed_trim(signature, inputs)
    if not inputs:
        return None
    trim = {name: axes for name, axes in guessed.items() if name not in settings.trim}
    for output, axes in settings.trim.items():
        if output in signature.outputs:
            references = {axis: _axis_reference(text) for axis, text in axes.items()}
            trim[output] = {axis: ref for axis, ref in references.items() if ref[0] in inputs}
    patience = settings.length_patience_ms / 1000
    return Padding(inputs=inputs, trim=trim, patience=patience)


def _free_axes(
    specs: Mapping[str, TensorSpec], leave_out: Collection[str] = ()
) -> dict[str, tuple[int, ...]]:
    """Axes of undeclared size, but for axis 0, of the tensors that have any."""
    free = {
        name: tuple(axis for axis, size in enumerate(spec.shape) if axis and size is None)
        for name, spec in specs.items()
        if spec.shape is not None and name not in leave_out
    }
    return {name: axes for name, axes in free.items() if axes}


def _guessed_trim(
    signature: Signature, inputs: Mapping[str, PadInput]
) -> dict[str, dict[int, tuple[str, int]]]:
    """Output axes of undeclared size are taken to be as long as the same axis of the first padded
    input that has it, else as the only padded axis there is. An output that turns out to be of
    another length makes the batch run request by request, so the guess costs time, never an answer.
    """
    padded = [(name, axis) for name, rule in inputs.items() for axis in rule.axes]
    trim: dict[str, dict[int, tuple[str, int]]] = {}
    for output, axes in _free_axes(signature.outputs).items():
        for axis in axes:
            same = [place for place in padded if place[1] == axis]
            if same or len(padded) == 1:
                trim.setdefault(output, {})[axis] = (same or padded)[0]
    return trim


def _pad_input(rule: PadSettings, signature: Signature) -> PadInput:
    def present(name: str | None) -> str | None:
        return name if name in signature.inputs else None

    return PadInput(
        axes=tuple(rule.axes),
        value=rule.value,
        buckets=tuple(rule.buckets),
        mask_input=present(rule.mask_input),
        length_input=present(rule.length_input),
    )


def _axis_reference(text: str) -> tuple[str, int]:
    name, _, axis = text.rpartition(":")
    return name, int(axis)
