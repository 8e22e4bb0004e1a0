"""One inference request and its answer, for those who look on: request log, shadow, statistics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from batching import Inputs, Outputs
from gateway.backends.base import Signature
from gateway.errors import ServingError
from gateway.models.servable import Servable

logger = logging.getLogger(__name__)

Api = Literal["predict", "classify", "regress"]
AsJson = Callable[[bytes], bytes]


def _as_it_is(body: bytes) -> bytes:
    return body


@dataclass(frozen=True, slots=True)
class BodyForm:
    """How the bodies of a protocol are shown to people: from the bytes on the wire to JSON text.

    Called on a thread; an error of theirs loses the one log entry.
    """

    request: AsJson = _as_it_is
    response: AsJson = _as_it_is


JSON_BODIES = BodyForm()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that reached a signature, with its outcome. Nothing in it may be changed."""

    api: Api
    """What was asked, whichever protocol asked it: its tensors or its examples."""
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
    bodies: BodyForm = JSON_BODIES


Observer = Callable[[Exchange], None]
"""Called on the event loop once a request is answered, before its answer is sent; must be quick
and must not raise."""


def tell(observers: Iterable[Observer], exchange: Exchange) -> None:
    """Show an exchange to all who look on. An answer that is there is sent, whatever happens to
    them."""
    for observer in observers:
        try:
            observer(exchange)
        except Exception:
            logger.exception("an observer failed")
