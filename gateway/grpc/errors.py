"""Our errors as gRPC statuses."""

from __future__ import annotations

import grpc

from gateway.errors import Code, ServingError

MAX_MESSAGE = 1024
_CUT = "...TRUNCATED"

_STATUSES = {status.value[0]: status for status in grpc.StatusCode}


def status_of(code: Code) -> grpc.StatusCode:
    """gRPC's own constant."""
    return _STATUSES[code.grpc_code]


def details_of(message: str) -> str:
    """``message`` as TF Serving sends it: at most 1024 characters. What is no text in UTF-8 (a lone
    surrogate that the message quotes) is replaced."""
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - len(_CUT)] + _CUT
    return message.encode("utf-8", "replace").decode()


def retry_pushback(error: ServingError) -> tuple[tuple[str, str], ...]:
    """Trailing metadata that tells clients when to try again (gRFC A6)."""
    if error.retry_after is None:
        return ()
    return (("grpc-retry-pushback-ms", str(round(error.retry_after * 1000))),)
