"""A request that a person can paste: built from a signature, and known to decode."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.backends.base import Signature, TensorSpec
from gateway.models.servable import Servable

DEFAULT_SIGNATURE = "serving_default"
MAX_EXAMPLE_BYTES = 2000
"""A line longer than this is no use at a prompt."""


def curl_line(servable: Servable, url: str) -> str:
    """A curl command for the servable that works verbatim in a shell; its status if no signature
    has a request short enough to print."""
    for name, queue in sorted(servable.queues.items(), key=lambda q: q[0] != DEFAULT_SIGNATURE):
        body = example_body(queue.signature)
        if body is not None and len(body) <= MAX_EXAMPLE_BYTES:
            address = f"{url}/v1/models/{servable.name}:predict"
            data = body.decode().replace("'", "'\\''")
            if name != DEFAULT_SIGNATURE:
                data = data.replace("{", f'{{"signature_name":"{name}",', 1)
            return f"curl -d '{data}' {address}"
    return f"curl {url}/v1/models/{servable.name}"


def example_body(signature: Signature) -> bytes | None:
    """A predict body of one or three rows; None when a dtype has no JSON form."""
    try:
        if _takes_plain_rows(signature):
            spec = next(iter(signature.inputs.values()))
            return orjson.dumps({"instances": [_value(spec, (), n) for n in (1.0, 2.0, 5.0)]})
        columns = {name: _value(spec, _sizes(spec), 1.0) for name, spec in signature.inputs.items()}
    except KeyError:
        return None
    return orjson.dumps({"inputs": columns})


def _takes_plain_rows(signature: Signature) -> bool:
    specs = list(signature.inputs.values())
    return len(specs) == 1 and specs[0].shape is not None and specs[0].shape in ((None,), (1,))


def _sizes(spec: TensorSpec) -> tuple[int, ...]:
    return tuple(size or 1 for size in (spec.shape if spec.shape is not None else (1,)))


def _value(spec: TensorSpec, sizes: tuple[int, ...], number: float) -> Any:
    if sizes:
        return [_value(spec, sizes[1:], number)] * sizes[0]
    return _SCALARS[spec.type_name](number)


_SCALARS: dict[str, Any] = {
    "DT_FLOAT": float,
    "DT_DOUBLE": float,
    "DT_STRING": lambda number: f"text {number:g}",
    "DT_BOOL": bool,
    **dict.fromkeys(
        ("DT_INT8", "DT_UINT8", "DT_INT16", "DT_INT32", "DT_UINT32", "DT_INT64", "DT_UINT64"), int
    ),
}
