"""Errors on the hop: a request's failure towards its front, a refusal towards the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.errors import Code, ServingError
from gateway.hop.frames import BrokenFrame, Buffer, Kind, json_frame, read_json


class Refused(NamedTuple):
    """A predict request that a front has answered with an error."""

    model: str
    code: Code
    seconds: float


def errors_frame(errors: Sequence[tuple[int, ServingError]]) -> bytes:
    """Errors by the numbers of their requests."""
    return json_frame(
        Kind.ERRORS,
        [(number, e.code.name, _clean(e.message), e.retry_after) for number, e in errors],
    )


def read_errors(payload: Buffer) -> list[tuple[int, ServingError]]:
    """Of an ``errors_frame``. Raises BrokenFrame."""
    try:
        return [
            (number, ServingError(Code[code], str(message), retry_after=after and float(after)))
            for number, code, message, after in read_json(payload)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFrame("no errors") from error


def refused_frame(refused: Sequence[Refused]) -> bytes:
    """Requests that the engine has not seen."""
    return json_frame(Kind.REFUSED, [(r.model, r.code.name, r.seconds) for r in refused])


def read_refused(payload: Buffer) -> list[Refused]:
    """Of a ``refused_frame``. Raises BrokenFrame."""
    said: Any = read_json(payload)
    try:
        return [Refused(str(m), Code[code], float(seconds)) for m, code, seconds in said]
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFrame("no refusals") from error


def _clean(message: str) -> str:
    """Text that JSON can carry: what a client sent may hold lone surrogates."""
    return message.encode("utf-8", "replace").decode()
