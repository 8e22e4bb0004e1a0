"""The function that runs one signature: arrays by alias in, arrays by alias out, errors told in
the client's terms. Knows how a compiled graph is called, not by which framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.backends.base import RunFunction, Signature, Tensors, TensorSpec
from gateway.backends.tf_errors import serving_error
from gateway.errors import Code, ServingError, invalid_argument

GraphCall = Callable[[tuple[Any, ...]], Sequence[Any]]
"""Takes one array per fed tensor, returns one value per fetched tensor: an array, or a numpy
scalar or ``bytes`` for rank 0."""

_STRING_KINDS = "OSU"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Which tensors of the graph a signature feeds and fetches; each tensor once."""

    feeds: Mapping[str, str]
    """By alias. Of several aliases of one tensor only the first."""
    fetches: Mapping[str, str]
    """By alias, without outputs that are also fed: a graph call refuses those."""
    echoes: Mapping[str, str]
    """Outputs that are an input: output alias to input alias."""
    twins: Sequence[tuple[str, str]]
    """Pairs of input aliases that stand for one tensor."""

    @classmethod
    def of(cls, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Wiring:
        """From the tensor name of each alias."""
        first: dict[str, str] = {}
        for alias, tensor in inputs.items():
            first.setdefault(tensor, alias)
        return cls(
            feeds={alias: tensor for tensor, alias in first.items()},
            fetches={alias: tensor for alias, tensor in outputs.items() if tensor not in first},
            echoes={alias: first[tensor] for alias, tensor in outputs.items() if tensor in first},
            twins=[(first[t], alias) for alias, t in inputs.items() if first[t] != alias],
        )

    @property
    def fetched_tensors(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.fetches.values()))


def build_run(
    signature: Signature, wiring: Wiring, call: GraphCall, *, copy_outputs: bool
) -> RunFunction:
    """The run function around ``call``, which takes ``wiring.feeds`` and returns
    ``wiring.fetched_tensors``.

    Arrays must be in native byte order. An output may share memory with an input that the model
    passes through. With ``copy_outputs`` it shares none with the model's variables.
    """
    run = _plain_run(signature, wiring, call)
    if copy_outputs:
        run = _copying(run)
    if wiring.echoes or wiring.twins:
        run = _with_shared_tensors(run, wiring)
    if signature.defaults:
        run = _with_defaults(run, signature.defaults)
    return run


def _plain_run(signature: Signature, wiring: Wiring, call: GraphCall) -> RunFunction:
    gather = _gatherer(tuple(wiring.feeds))
    position = {tensor: i for i, tensor in enumerate(wiring.fetched_tensors)}
    plan = [
        (alias, position[tensor], signature.outputs[alias].dtype)
        for alias, tensor in wiring.fetches.items()
    ]
    ndarray = np.ndarray

    def run(inputs: Tensors) -> dict[str, NDArray[Any]]:
        try:
            values = call(gather(inputs))
        except Exception as error:
            raise _explain(signature, inputs, error) from error
        outputs = {}
        for alias, place, dtype in plan:
            value = values[place]
            outputs[alias] = value if value.__class__ is ndarray else np.array(value, dtype)
        return outputs

    return run


def _gatherer(aliases: tuple[str, ...]) -> Callable[[Tensors], tuple[Any, ...]]:
    """Picks values in the order of ``aliases``; raises KeyError for one that is missing."""
    if not aliases:
        return lambda inputs: ()
    if len(aliases) > 1:
        return itemgetter(*aliases)
    only = aliases[0]
    return lambda inputs: (inputs[only],)


def _copying(run: RunFunction) -> RunFunction:
    """A fetched reference variable is a view of its memory, which a later run overwrites."""

    def run_and_copy(inputs: Tensors) -> dict[str, NDArray[Any]]:
        return {alias: value.copy() for alias, value in run(inputs).items()}

    return run_and_copy


def _with_shared_tensors(run: RunFunction, wiring: Wiring) -> RunFunction:
    def run_and_echo(inputs: Tensors) -> dict[str, NDArray[Any]]:
        for one, other in wiring.twins:
            if other in inputs and one not in inputs:
                inputs = {**inputs, one: inputs[other]}
            elif other in inputs and not np.array_equal(inputs[one], inputs[other]):
                raise invalid_argument(
                    f'inputs "{one}" and "{other}" are the same tensor but have different values'
                )
        outputs = run(inputs) if wiring.fetches else {}
        outputs |= {alias: _echo(inputs, source) for alias, source in wiring.echoes.items()}
        return outputs

    return run_and_echo


def _echo(inputs: Tensors, alias: str) -> NDArray[Any]:
    if alias not in inputs:
        raise _missing(alias)
    return inputs[alias]


def _with_defaults(run: RunFunction, defaults: Tensors) -> RunFunction:
    def run_with_defaults(inputs: Tensors) -> dict[str, NDArray[Any]]:
        return run({**defaults, **inputs})

    return run_with_defaults


def _explain(signature: Signature, inputs: Tensors, error: Exception) -> ServingError:
    """The client's mistake if there is one, else what the framework says."""
    for alias, spec in signature.inputs.items():
        if alias not in inputs:
            return _missing(alias)
        if mistake := _dtype_mistake(spec, inputs[alias]):
            return invalid_argument(f'input "{alias}" {mistake}')
    told = serving_error(error)
    if told is not error and told.code is Code.INVALID_ARGUMENT:
        for alias, spec in signature.inputs.items():
            if mistake := _shape_mistake(spec, inputs[alias]):
                return invalid_argument(f'input "{alias}" {mistake}: {told.message}')
    return told


def _shape_mistake(spec: TensorSpec, value: NDArray[Any]) -> str:
    """How a value differs from the declared shape. That alone is no mistake (TF Serving enforces
    no shapes), but it explains one."""
    declared = spec.shape
    if declared is None:
        return ""
    fits = len(declared) == value.ndim and all(
        size in (None, actual) for size, actual in zip(declared, value.shape, strict=True)
    )
    expected = ", ".join("?" if size is None else str(size) for size in declared)
    return "" if fits else f"should have the shape [{expected}], got {list(value.shape)}"


def _missing(alias: str) -> ServingError:
    return invalid_argument(f'input "{alias}" is missing')


def _dtype_mistake(spec: TensorSpec, value: NDArray[Any]) -> str:
    if not spec.is_string:
        wrong = value.dtype != spec.dtype
        return f"must be {spec.dtype.name}, got {_dtype_name(value)}" if wrong else ""
    if value.dtype.kind not in _STRING_KINDS:
        return f"must be strings, got {_dtype_name(value)}"
    if value.dtype.kind != "O":
        return ""
    others = (type(item).__name__ for item in value.flat if not isinstance(item, bytes | str))
    other = next(others, "")
    return f"must hold only bytes or str, got {other}" if other else ""


def _dtype_name(value: NDArray[Any]) -> str:
    return "strings" if value.dtype.kind in _STRING_KINDS else value.dtype.name
