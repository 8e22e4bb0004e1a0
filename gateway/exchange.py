"""One inference request and its answer, for those who look on: request log, shadow, statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.errors import ServingError
from gateway.models.servable import Servable

Api = Literal["predict", "classify", "regress"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that reached a signature, with its outcome. Nothing in it may be changed."""

    api: Api
    servable: Servable
    signature: Signature
    pinned: bool
    """The request named its version by number."""
    inputs: Inputs
    """As they were submitted: by alias, arrays or rows as lists."""
    outputs: Outputs | None
    """By alias; None when the request failed."""
    error: ServingError | None
    """What went wrong after the inputs were decoded; None when it was answered."""
    request_body: bytes
    response_body: bytes
    """Empty when the request failed."""
    seconds: float
    """From the request's head to its answer."""


Observer = Callable[[Exchange], None]
"""Called on the event loop once a request is answered, before its answer is sent; must be quick
and must not raise."""
