"""What can go wrong with a request, and the one table from our errors to protocol codes.

The codes are gRPC's canonical ones; their HTTP status is TF Serving's mapping
(http_rest_api_util.cc), so a client that switches servers sees the numbers it knows.
"""

from __future__ import annotations

from enum import Enum


class Code(Enum):
    """Canonical status code, with the HTTP status that REST answers carry for it."""

    OK = (200, 0)
    INVALID_ARGUMENT = (400, 3)
    FAILED_PRECONDITION = (400, 9)
    OUT_OF_RANGE = (400, 11)
    UNAUTHENTICATED = (401, 16)
    PERMISSION_DENIED = (403, 7)
    NOT_FOUND = (404, 5)
    ALREADY_EXISTS = (409, 6)
    ABORTED = (409, 10)
    PAYLOAD_TOO_LARGE = (413, 8)
    RESOURCE_EXHAUSTED = (429, 8)
    CANCELLED = (499, 1)
    UNKNOWN = (500, 2)
    INTERNAL = (500, 13)
    DATA_LOSS = (500, 15)
    UNIMPLEMENTED = (501, 12)
    UNAVAILABLE = (503, 14)
    DEADLINE_EXCEEDED = (504, 4)

    @property
    def http_status(self) -> int:
        return self.value[0]

    @property
    def grpc_code(self) -> int:
        return self.value[1]


class ServingError(Exception):
    """A request cannot be answered; ``message`` is safe to send to the client.

    The message never holds a path, a stack line or another request's data.
    """

    def __init__(self, code: Code, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        """Seconds after which another try makes sense (capacity errors only)."""


def invalid_argument(message: str) -> ServingError:
    """The client's mistake: HTTP 400."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """No such model, version or route: HTTP 404."""
    return ServingError(Code.NOT_FOUND, message)
