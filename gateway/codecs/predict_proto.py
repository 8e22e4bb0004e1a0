"""The messages of gRPC Predict: from the request's bytes to inputs, from outputs to the answer's.

Checks, their order, codes and phrases are TF Serving's (predict_util.cc).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from batching import Inputs, Outputs, PackedInputs
from gateway.backends.base import Signature, TensorSpec
from gateway.codecs.json_flat import MOST_PACKED_VALUES
from gateway.codecs.model_spec import Spec, read_spec
from gateway.codecs.tensor_proto_read import WireTensor, read_tensor
from gateway.codecs.tensor_proto_write import Pieces, check_size, delimited, tag, tensor_pieces
from gateway.codecs.varints import varint
from gateway.errors import Code, ServingError, invalid_argument
from gateway.protos.unread import UnreadPredictRequest

_OUTPUTS = 1
_MODEL_SPEC = 2
_KEY = 1
_VALUE = 2
"""Field numbers of a PredictResponse, and of a map's entry."""
_MOST_NAMED = 64
"""Names of inputs or outputs in one list of a message."""


class PredictMessage(NamedTuple):
    """A request before its model is known."""

    spec: Spec
    inputs: Mapping[str, Any]
    """``UnreadTensor`` by alias."""
    output_filter: Sequence[str]


def parse_predict(request: bytes) -> PredictMessage:
    """Check what needs no model. Raises ServingError (INVALID_ARGUMENT)."""
    try:
        message = UnreadPredictRequest.FromString(request)
    except DecodeError:
        raise invalid_argument("the request is no PredictRequest") from None
    spec = read_spec(message.model_spec)
    return PredictMessage(spec, message.inputs, message.output_filter)


def decode_inputs(
    message: PredictMessage, signature: Signature, optional: Collection[str] = ()
) -> Inputs:
    """The request's inputs by alias, of the declared dtypes. Small ones come as
    ``batching.PackedInputs``, which the batcher takes without making arrays of them.

    Inputs with a default and ``optional`` ones may be left out. Declared shapes are not enforced
    (TF Serving). Raises ServingError (INVALID_ARGUMENT), also for a bad output filter.
    """
    sent = message.inputs
    specs = signature.inputs
    if not _are_all(sent, specs):
        _check_names(sent, signature, optional)
    tensors = {alias: _read(alias, tensor, specs[alias]) for alias, tensor in sent.items()}
    if message.output_filter:
        _check_filter(message.output_filter, signature)
    missing = [alias for alias in signature.defaults if alias not in sent]
    if missing:
        arrays = {alias: tensor.array() for alias, tensor in tensors.items()}
        return arrays | {alias: signature.defaults[alias] for alias in missing}
    packed = _packed(tensors)
    if packed is not None:
        return packed
    return {alias: tensor.array() for alias, tensor in tensors.items()}


def encode_outputs(
    outputs: Outputs,
    signature: Signature,
    output_filter: Sequence[str],
    spec: bytes,
    *,
    tensor_content: bool = False,
) -> bytes:
    """A PredictResponse with the outputs of ``output_filter``, all of them when it is empty.

    ``spec`` is the answer's ModelSpec, serialized. Raises ServingError (RESOURCE_EXHAUSTED) for
    what no message can hold.
    """
    pieces: Pieces = []
    total = 0
    for alias in output_filter or outputs:
        type_name = signature.outputs[alias].type_name
        tensor, size = tensor_pieces(outputs[alias], type_name, tensor_content=tensor_content)
        total += size
        key = delimited(_KEY, alias.encode()) + tag(_VALUE) + varint(size)
        pieces.append(tag(_OUTPUTS) + varint(len(key) + size) + key)
        pieces += tensor
    check_size(total, "the answer")
    pieces.append(delimited(_MODEL_SPEC, spec))
    return b"".join(pieces)


def unknown_signature(name: str) -> ServingError:
    """What Predict says of a signature that the model does not have."""
    return ServingError(
        Code.FAILED_PRECONDITION, f'Serving signature key "{name[:256]}" not found.'
    )


def _are_all(sent: Collection[str], specs: Collection[str]) -> bool:
    if len(sent) != len(specs):
        return False
    for alias in sent:  # noqa: SIM110 - a generator costs more than most requests' only input
        if alias not in specs:
            return False
    return True


def _check_names(sent: Collection[str], signature: Signature, optional: Collection[str]) -> None:
    """Raises ServingError unless every input is known and only what need not be sent is missing."""
    extra = [alias for alias in sent if alias not in signature.inputs]
    unneeded = {*signature.defaults, *optional}
    missing = [a for a in signature.inputs if a not in sent and a not in unneeded]
    if not extra and not missing:
        return
    raise invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(signature.inputs)}"
        f" len({_set(sent)}) != len({_set(signature.inputs)})."
        f" Sent extra: {_set(extra)}. Missing but required: {_set(missing)}."
    )


def _read(alias: str, tensor: Any, spec: TensorSpec) -> WireTensor:
    what = f'input "{alias}"'
    read = read_tensor(tensor, what=what)
    if read.layout.type_name != spec.type_name:
        raise invalid_argument(f"{what} must be {spec.type_name}, got {read.layout.type_name}")
    return read


def _check_filter(output_filter: Sequence[str], signature: Signature) -> None:
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias}"
                f" Outputs expected to be in the set {_set(signature.outputs)}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)


def _packed(tensors: Mapping[str, WireTensor]) -> PackedInputs | None:
    """The inputs as flat values, or None: they are large, empty or of different numbers of rows."""
    data: list[bytes | list[Any]] = []
    key: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    rows = 0
    for alias in sorted(tensors) if len(tensors) > 1 else tensors:
        layout, shape, values = tensors[alias]
        if not shape or not shape[0] or rows not in (0, shape[0]):
            return None
        rows = shape[0]
        if not 0 < len(values) <= _most_packed(values, layout.dtype):
            return None
        data.append(values.tobytes() if isinstance(values, np.ndarray) else values)
        key.append((alias, layout.dtype, shape[1:]))
    return PackedInputs(data, tuple(key), rows) if rows else None


def _most_packed(values: object, dtype: np.dtype[Any]) -> int:
    if isinstance(values, bytes):
        return MOST_PACKED_VALUES * dtype.itemsize
    # Strings in an array were filled up by rule, which is seldom: they go as they are.
    return MOST_PACKED_VALUES if isinstance(values, list) or dtype.kind != "O" else 0


def _set(names: Iterable[str]) -> str:
    """``{a,b}``, not all of them when there are more than a message can hold."""
    return f"{{{','.join(sorted(islice(names, _MOST_NAMED)))}}}"
