"""The parameters of a request that the server acts on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gateway.codecs.json_text import quote
from gateway.errors import invalid_argument
from gateway.oip.messages import Parameters

_MICROSECONDS = 1_000_000
_UINT64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What a request's parameters say. All others are the client's own."""

    priority: int = 0
    """1 is the highest; 0 leaves it to the model."""
    timeout: float = math.inf
    """Seconds that the request may wait in the queue."""
    signature_name: str = ""
    """Empty: the model's default."""
    binary_data_output: bool = False
    """REST: outputs are binary unless the request says otherwise."""


def parse_options(parameters: Parameters) -> RequestOptions:
    """Raises ServingError (INVALID_ARGUMENT)."""
    if not parameters:
        return RequestOptions()
    timeout = _whole_number(parameters, "timeout")
    signature = parameters.get("signature_name", "")
    if type(signature) is not str:
        raise invalid_argument(f"parameter signature_name must be a string, got {quote(signature)}")
    binary = parameters.get("binary_data_output", False)
    if type(binary) is not bool:
        raise invalid_argument(
            f"parameter binary_data_output must be true or false, got {quote(binary)}"
        )
    return RequestOptions(
        _whole_number(parameters, "priority"),
        timeout / _MICROSECONDS if timeout else math.inf,
        signature,
        binary,
    )


def _whole_number(parameters: Parameters, key: str) -> int:
    value = parameters.get(key, 0)
    if type(value) is not int or not 0 <= value <= _UINT64_MAX:
        raise invalid_argument(
            f"parameter {key} must be a whole number from 0 to 2^64 - 1, got {quote(value)}"
        )
    return value
