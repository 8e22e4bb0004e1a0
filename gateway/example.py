"""A request that a person can paste: made up from a signature, and tried before it is shown."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson

from batching import BatchingError
from gateway.backends.base import Signature, TensorSpec
from gateway.codecs.predict_json import (
    DEFAULT_SIGNATURE,
    decode_inputs,
    encode_outputs,
    parse_predict,
)
from gateway.errors import ServingError
from gateway.models.servable import Servable, SignatureQueue

MAX_EXAMPLE_BYTES = 1500
"""A line longer than this is no use at a prompt."""
MAX_TRIES = 12
TRY_SECONDS = 5.0

_LENGTHS = (1, 8, 64)
"""Sizes to try for unknown dimensions other than the first."""
_NUMBERS = (1.0, 2.0, 5.0)


async def curl_line(servable: Servable, url: str) -> str:
    """A curl command for the servable that works verbatim in a shell.

    Signatures that change the model are not tried. Where no made-up request is answered, or none
    is short enough, the command asks for the model's status.
    """
    address = f"{url}/v1/models/{quote(servable.name, safe='')}"
    tries = 0
    for name, queue in sorted(servable.queues.items(), key=lambda q: q[0] != DEFAULT_SIGNATURE):
        for body in () if queue.signature.stateful else example_bodies(queue.signature):
            if tries == MAX_TRIES:
                break
            tries += 1
            if await _is_answered(queue, body):
                named = {"signature_name": name} if name != DEFAULT_SIGNATURE else {}
                data = orjson.dumps(named | orjson.loads(body)).decode()
                return f"curl -d {shlex.quote(data)} {shlex.quote(address + ':predict')}"
    return f"curl {shlex.quote(address)}"


def example_bodies(signature: Signature) -> Iterator[bytes]:
    """Predict bodies to try, the nicest first; none for dtypes that JSON cannot carry."""
    specs = signature.inputs
    if any(spec.type_name not in _SCALARS for spec in specs.values()):
        return
    if len(specs) == 1 and _is_flat(spec := next(iter(specs.values()))):
        rows = [_value(spec, (), number) for number in _NUMBERS]
        yield orjson.dumps({"instances": rows})
        yield orjson.dumps({"inputs": rows})
    for length in _LENGTHS:
        columns = {name: _value(spec, _sizes(spec, length), 1.0) for name, spec in specs.items()}
        body = orjson.dumps({"inputs": columns})
        if len(body) <= MAX_EXAMPLE_BYTES:
            yield body


async def _is_answered(queue: SignatureQueue, body: bytes) -> bool:
    predict = parse_predict(body)
    try:
        inputs = decode_inputs(predict, queue.signature, queue.optional_inputs)
        outputs = await queue.submit(inputs, time.monotonic() + TRY_SECONDS)
        encode_outputs(outputs, queue.signature, predict.form)
    except (ServingError, BatchingError):
        return False
    return True


def _is_flat(spec: TensorSpec) -> bool:
    return spec.shape is None or len(spec.shape) == 1


def _sizes(spec: TensorSpec, length: int) -> tuple[int, ...]:
    shape = (None,) if spec.shape is None else spec.shape
    return tuple((length if axis else 1) if s is None else s for axis, s in enumerate(shape))


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
