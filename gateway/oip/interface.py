"""A model's inputs and outputs as clients of the protocol see them.

They come from the SavedModel's signature. A model of a Triton repository may have a configuration
that says more: shapes, a batch axis, reshapes, labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.backends.base import TensorSpec
from gateway.config.settings import ResolvedModel
from gateway.config.triton.model import TritonModel, TritonTensor
from gateway.models.servable import SignatureQueue
from gateway.oip.datatypes import Datatype, datatype_of

_UNDECLARED = TritonModel(Path())
"""Stands for a model without a configuration of that kind."""


@dataclass(frozen=True, slots=True)
class TensorInterface:
    """One input or output."""

    name: str
    datatype: Datatype | None
    """None: the protocol has no name for the dtype."""
    type_name: str
    shape: tuple[int, ...]
    """With the batch axis; -1 for unknown sizes."""
    any_rank: bool = False
    """Nothing is known of the axes behind those of ``shape``."""
    model_dims: tuple[int, ...] | None = None
    """The model's own shape behind the batch axis, where clients see another."""
    labels: tuple[str, ...] = ()
    """Of classes, by index."""
    optional: bool = False
    ragged: bool = False
    """Requests whose sizes differ may share a run."""

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor may have ``shape``."""
        if self.any_rank:
            return len(shape) >= len(self.shape)
        return len(shape) == len(self.shape) and all(
            wanted in (-1, size) for wanted, size in zip(self.shape, shape, strict=True)
        )


@dataclass(frozen=True, slots=True)
class ModelInterface:
    """One signature of a model version."""

    batched: bool
    """Axis 0 of all tensors counts rows."""
    max_batch_size: int
    """What clients are told: 0 when axis 0 is no batch axis to them."""
    inputs: Mapping[str, TensorInterface]
    outputs: Mapping[str, TensorInterface]


def make_interface(settings: ResolvedModel, queue: SignatureQueue) -> ModelInterface:
    """The interface of the signature that ``queue`` serves, under the model's ``settings``."""
    signature, padding = queue.signature, queue.batcher.policy.padding
    triton = settings.triton
    if triton is None or triton.signature != signature.name:
        triton = _UNDECLARED
    rows = triton.max_batch_size
    batched = _has_batch_axis(queue) if rows is None else rows > 0
    inputs = {
        name: _tensor(
            spec,
            triton.inputs.get(name),
            batched=batched,
            optional=name in queue.optional_inputs,
            ragged=padding is not None and name in padding.inputs,
        )
        for name, spec in signature.inputs.items()
    }
    outputs = {
        name: _tensor(spec, triton.outputs.get(name), batched=batched)
        for name, spec in signature.outputs.items()
    }
    if rows is None:
        # Triton knows no rows without a shape, nor do its tools: to them these are whole tensors.
        shaped = all(len(tensor.shape) > 1 for tensor in (*inputs.values(), *outputs.values()))
        rows = queue.batcher.policy.max_batch_size if batched and shaped else 0
    return ModelInterface(batched, rows, inputs, outputs)


def reshaped(
    shape: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...], *, batched: bool
) -> tuple[int, ...]:
    """``shape``, which fits the dims ``old``, in the form of the dims ``new``: the sizes that are
    -1 there follow each other in the same order. The batch axis stays."""
    batch, own = (shape[:1], shape[1:]) if batched else ((), shape)
    free = itertools.chain(
        (size for size, wanted in zip(own, old, strict=False) if wanted == -1), itertools.repeat(1)
    )
    return (*batch, *(next(free) if size == -1 else size for size in new))


def _has_batch_axis(queue: SignatureQueue) -> bool:
    """Whether rows of several requests may share a run."""
    specs = (*queue.signature.inputs.values(), *queue.signature.outputs.values())
    return not queue.alone_because and all(
        spec.shape is None or (len(spec.shape) > 0 and spec.shape[0] is None) for spec in specs
    )


def _tensor(
    spec: TensorSpec,
    listed: TritonTensor | None,
    *,
    batched: bool,
    optional: bool = False,
    ragged: bool = False,
) -> TensorInterface:
    batch = (-1,) if batched else ()
    declared = listed.dims if listed is not None else ()
    return TensorInterface(
        spec.name,
        datatype_of(spec),
        spec.type_name,
        (*batch, *(declared or _own_dims(spec, batched=batched))),
        any_rank=spec.shape is None and not declared,
        model_dims=listed.reshape if listed is not None else None,
        labels=listed.labels if listed is not None else (),
        optional=optional,
        ragged=ragged,
    )


def _own_dims(spec: TensorSpec, *, batched: bool) -> tuple[int, ...]:
    """Without the batch axis; none when the rank is unknown."""
    sizes = tuple(-1 if size is None else size for size in spec.shape or ())
    return sizes[1:] if batched else sizes
