"""Whether a request fits the model: names, datatypes, shapes (Triton's rules and phrases)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from gateway.codecs.json_text import quote
from gateway.errors import ServingError, invalid_argument
from gateway.oip.datatypes import DATATYPES, shape_text
from gateway.oip.interface import ModelInterface, TensorInterface, reshaped
from gateway.oip.messages import InferInput, RequestedOutput

_MOST_NAMED = 8
"""Names that a message lists."""


def checked_inputs(
    model: str, inputs: Sequence[InferInput], interface: ModelInterface, max_rows: float
) -> dict[str, NDArray[Any]]:
    """The arrays by name, as the model takes them. Each of ``inputs`` has its array; ``max_rows``
    bounds the batch of one request. Raises ServingError (INVALID_ARGUMENT)."""
    by_name = _named(model, inputs, interface.inputs)
    for name, tensor in by_name.items():
        _check_tensor(model, tensor, interface.inputs[name])
    if interface.batched:
        _check_rows(model, by_name, max_rows)
    return {
        name: _as_model_takes(tensor, interface.inputs[name], batched=interface.batched)
        for name, tensor in by_name.items()
    }


def checked_outputs(
    model: str, requested: Sequence[RequestedOutput], interface: ModelInterface
) -> Sequence[RequestedOutput]:
    """The outputs to give: all when none are ``requested``. Raises ServingError
    (INVALID_ARGUMENT), for an output without a datatype in the protocol as well."""
    known = interface.outputs
    seen: set[str] = set()
    for output in requested:
        if output.name not in known:
            raise invalid_argument(
                f"unexpected inference output {_quoted(output.name)} for model '{model}'"
                f" (expected: {_names(known)})"
            )
        if output.name in seen:
            raise invalid_argument(f"output {_quoted(output.name)} is asked for twice")
        seen.add(output.name)
    chosen = requested or [RequestedOutput(name) for name in known]
    for output in chosen:
        if known[output.name].datatype is None:
            raise _no_datatype("output", known[output.name])
    return chosen


def _named(
    model: str, inputs: Sequence[InferInput], known: Mapping[str, TensorInterface]
) -> dict[str, InferInput]:
    by_name: dict[str, InferInput] = {}
    for tensor in inputs:
        if tensor.name not in known:
            raise invalid_argument(
                f"unexpected inference input {_quoted(tensor.name)} for model '{model}'"
                f" (expected: {_names(known)})"
            )
        if tensor.name in by_name:
            raise invalid_argument(f"input {_quoted(tensor.name)} is given twice")
        by_name[tensor.name] = tensor
    required = [name for name, one in known.items() if not one.optional]
    missing = [name for name in required if name not in by_name]
    if missing:
        raise invalid_argument(
            f"expected {len(required)} inputs but got {len(by_name)} inputs for model '{model}':"
            f" {_names(missing)} missing"
        )
    return by_name


def _check_tensor(model: str, tensor: InferInput, expected: TensorInterface) -> None:
    if expected.datatype is None:
        raise _no_datatype("input", expected)
    if DATATYPES[tensor.datatype] is not expected.datatype:
        raise invalid_argument(
            f"inference input '{expected.name}' data-type is '{tensor.datatype}', but model"
            f" '{model}' expects '{expected.datatype.name}'"
        )
    if not expected.fits(tensor.shape):
        raise invalid_argument(
            f"unexpected shape for input '{expected.name}' for model '{model}'."
            f" Expected {shape_text(expected.shape)}, got {shape_text(tensor.shape)}."
        )


def _check_rows(model: str, inputs: Mapping[str, InferInput], max_rows: float) -> None:
    """One batch size for all inputs, within the bounds."""
    sizes = {name: tensor.shape[0] for name, tensor in inputs.items()}
    if len(set(sizes.values())) > 1:
        text = ", ".join(f"'{name}' {size}" for name, size in list(sizes.items())[:_MOST_NAMED])
        raise invalid_argument(f"the inputs for model '{model}' have different batch sizes: {text}")
    rows = next(iter(sizes.values()), 1)
    if not rows:
        raise invalid_argument(f"inference request batch-size must be at least 1 for '{model}'")
    if rows > max_rows:
        raise invalid_argument(f"inference request batch-size must be <= {max_rows} for '{model}'")


def _as_model_takes(
    tensor: InferInput, expected: TensorInterface, *, batched: bool
) -> NDArray[Any]:
    assert tensor.array is not None, "shared memory was read"
    if expected.model_dims is None:
        return tensor.array
    dims = expected.shape[1:] if batched else expected.shape
    return tensor.array.reshape(reshaped(tensor.shape, dims, expected.model_dims, batched=batched))


def _no_datatype(kind: str, tensor: TensorInterface) -> ServingError:
    dtype = tensor.type_name.removeprefix("DT_").lower()
    return invalid_argument(f"{kind} '{tensor.name}' is {dtype}, which the protocol cannot carry")


def _quoted(name: str) -> str:
    """A client's name, cut."""
    return f"'{quote(name)[1:-1]}'"


def _names(names: Iterable[str]) -> str:
    listed = [f"'{name}'" for name in names]
    more = ", ..." if len(listed) > _MOST_NAMED else ""
    return ", ".join(listed[:_MOST_NAMED]) + more
