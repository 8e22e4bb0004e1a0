"""SignatureDef and TensorInfo protos as our ``Signature``, ``TensorSpec`` and metadata JSON.

Works on proto objects that are passed in; imports no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ml_dtypes
import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray

from gateway.backends.base import FeatureKind, Signature, TensorSpec

SignatureDef = Any
TensorInfo = Any
TensorProto = Any

_REFERENCE = 100
"""DataType numbers above this are references to a variable of the type 100 below (types.proto)."""

_DTYPES: Mapping[str, np.dtype[Any]] = {
    "DT_FLOAT": np.dtype(np.float32),
    "DT_DOUBLE": np.dtype(np.float64),
    "DT_HALF": np.dtype(np.float16),
    "DT_BFLOAT16": np.dtype(ml_dtypes.bfloat16),
    "DT_FLOAT8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "DT_FLOAT8_E4M3FN": np.dtype(ml_dtypes.float8_e4m3fn),
    "DT_INT8": np.dtype(np.int8),
    "DT_INT16": np.dtype(np.int16),
    "DT_INT32": np.dtype(np.int32),
    "DT_INT64": np.dtype(np.int64),
    "DT_UINT8": np.dtype(np.uint8),
    "DT_UINT16": np.dtype(np.uint16),
    "DT_UINT32": np.dtype(np.uint32),
    "DT_UINT64": np.dtype(np.uint64),
    "DT_BOOL": np.dtype(np.bool_),
    "DT_COMPLEX64": np.dtype(np.complex64),
    "DT_COMPLEX128": np.dtype(np.complex128),
    "DT_STRING": np.dtype(object),
}


def read_signature(
    name: str,
    definition: SignatureDef,
    *,
    stateful: bool,
    decode: Callable[[TensorProto], NDArray[Any]],
    features: Mapping[str, FeatureKind] | None = None,
) -> Signature:
    """A signature that ``unsupported`` has nothing against. ``decode`` reads default values.

    ``features`` are those that its graph parses; they are kept if its one string input can be
    where they come from.
    """
    inputs = _specs(definition.inputs)
    outputs = _specs(definition.outputs)
    return Signature(
        name=name,
        inputs=inputs,
        outputs=outputs,
        method_name=definition.method_name,
        defaults={a: decode(t) for a, t in definition.defaults.items() if a in inputs},
        stateful=stateful,
        unbatchable=_unbatchable(inputs, outputs, stateful=stateful),
        features=(features or {}) if _takes_examples(inputs) else {},
    )


def _takes_examples(inputs: Mapping[str, TensorSpec]) -> bool:
    """One input that can be records. A lone one may be declared otherwise than its placeholder
    (TF Serving's own half_plus_three declares a float)."""
    return len(inputs) == 1 or sum(spec.is_string for spec in inputs.values()) == 1


def unsupported(definition: SignatureDef) -> str:
    """Why a signature cannot be run with plain arrays, empty when it can.

    The case for initialiser signatures (``__saved_model_init_op``), sparse and composite tensors.
    """
    for kind, alias, info in _tensors(definition):
        if info.WhichOneof("encoding") != "name":
            return f'{kind} "{alias}" is not a dense tensor'
        if (type_name := _type_name(info)) not in _DTYPES:
            return f'{kind} "{alias}" has the unsupported dtype {type_name}'
    return "" if definition.outputs else "it has no outputs"


def tensor_names(infos: Mapping[str, TensorInfo]) -> dict[str, str]:
    """The graph's tensor of each alias, in alphabetical order of the aliases."""
    return {alias: infos[alias].name for alias in sorted(infos)}


def metadata(definitions: Mapping[str, SignatureDef]) -> dict[str, Any]:
    """The signature map as proto3 JSON: original field names, default values included, 64-bit
    numbers as strings (TF Serving's metadata answer)."""
    return {name: _json(definitions[name]) for name in sorted(definitions)}


def _json(definition: SignatureDef) -> dict[str, Any]:
    fields: dict[str, Any] = json_format.MessageToDict(
        definition,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    return {key: fields[key] for key in ("inputs", "outputs", "method_name", "defaults")}


def _specs(infos: Mapping[str, TensorInfo]) -> dict[str, TensorSpec]:
    return {alias: _spec(alias, infos[alias]) for alias in sorted(infos)}


def _spec(alias: str, info: TensorInfo) -> TensorSpec:
    type_name = _type_name(info)
    return TensorSpec(alias, _DTYPES[type_name], type_name, _shape(info.tensor_shape))


def _type_name(info: TensorInfo) -> str:
    number = info.dtype - _REFERENCE if info.dtype > _REFERENCE else info.dtype
    known = info.DESCRIPTOR.fields_by_name["dtype"].enum_type.values_by_number
    return str(known[number].name) if number in known else f"DT_{number}"


def _shape(proto: Any) -> tuple[int | None, ...] | None:
    if proto.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in proto.dim)


def _tensors(definition: SignatureDef) -> Iterator[tuple[str, str, TensorInfo]]:
    for kind, infos in (("input", definition.inputs), ("output", definition.outputs)):
        for alias in sorted(infos):
            yield kind, alias, infos[alias]


def _unbatchable(
    inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec], *, stateful: bool
) -> str:
    if stateful:
        return "it changes the state of the model"
    if not inputs:
        return "it has no inputs"
    for kind, specs in (("input", inputs), ("output", outputs)):
        for spec in specs.values():
            if spec.shape == ():
                return f'{kind} "{spec.name}" is a scalar'
            if spec.shape is not None and spec.shape[0] is not None:
                return f'{kind} "{spec.name}" has a fixed first dimension ({spec.shape[0]})'
    return ""
