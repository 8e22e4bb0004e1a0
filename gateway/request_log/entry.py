"""One logged request, as the event loop leaves it to the writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.errors import ServingError
from gateway.exchange import Api, BodyForm, Exchange

_OVERHEAD_BYTES = 1024
"""Memory of an entry besides bodies and arrays, rounded up."""
_LIST_BYTES_PER_BODY_BYTE = 10
"""Memory of Python lists of numbers against the JSON text that they were read from, at most."""


@dataclass(slots=True)
class Counts:
    """What became of one model's sampled requests."""

    written: int = 0
    """Handed to the operating system."""
    dropped: int = 0
    """Not taken: the queue was full, or the log is closed. Set by the event loop's thread."""
    failed: int = 0
    """Not written: the disk refused it, or it could not be encoded."""


@dataclass(slots=True)
class Entry:
    """What is logged of an Exchange. It does not hold the servable, which may be unloaded while
    its last entries wait."""

    time: float
    """When the request was answered, seconds since the epoch."""
    api: Api
    model: str
    version: int
    pinned: bool
    """The request named its version by number."""
    signature: Signature
    sampling_rate: float
    seconds: float
    error: ServingError | None
    request_body: bytes
    response_body: bytes
    bodies: BodyForm
    inputs: Inputs
    outputs: Outputs

    @classmethod
    def of(cls, exchange: Exchange, time: float, sampling_rate: float, *, arrays: bool) -> Entry:
        """With ``arrays`` inputs and outputs are kept and bodies are not; else the reverse."""
        return cls(
            time=time,
            api=exchange.api,
            model=exchange.servable.name,
            version=exchange.servable.version,
            pinned=exchange.pinned,
            signature=exchange.signature,
            sampling_rate=sampling_rate,
            seconds=exchange.seconds,
            error=exchange.error,
            request_body=b"" if arrays else exchange.request_body,
            response_body=b"" if arrays else exchange.response_body,
            bodies=exchange.bodies,
            inputs=exchange.inputs if arrays else {},
            outputs=(exchange.outputs or {}) if arrays else {},
        )


def memory_of(entry: Entry, exchange: Exchange) -> int:
    """An upper estimate in bytes of what ``entry`` keeps alive.

    The bodies count in any case: strings in arrays are about as long as in the bodies.
    """
    body = len(exchange.request_body)
    tensors: list[Mapping[str, Any]] = [entry.inputs, entry.outputs]
    held = sum(_held_by(value, body) for named in tensors for value in named.values())
    return _OVERHEAD_BYTES + body + len(exchange.response_body) + held


def _held_by(value: Any, body: int) -> int:
    if not isinstance(value, np.ndarray):
        return _LIST_BYTES_PER_BODY_BYTE * body
    # A request's rows of an answer are a view that keeps its whole batch.
    return max(value.nbytes, getattr(value.base, "nbytes", 0))
