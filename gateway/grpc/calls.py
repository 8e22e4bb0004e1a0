"""What all gRPC calls have in common: counted, bounded by their deadline, failed by the rules."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError

from gateway.errors import Code, ServingError, invalid_argument
from gateway.grpc.errors import details_of, retry_pushback, status_of
from gateway.grpc.gathering import Gathering
from gateway.inference import Inference

logger = logging.getLogger(__name__)

_STOPPING = ServingError(Code.UNAVAILABLE, "the server is stopping")
_UNEXPECTED = ServingError(Code.INTERNAL, "internal error")

Context = grpc.aio.ServicerContext[Any, Any]


class Rpc:
    """A call that is being answered."""

    __slots__ = ("deadline", "model", "started")

    def __init__(self, started: float, deadline: float) -> None:
        self.started = started
        """Second of the monotonic clock."""
        self.deadline = deadline
        """Second of the monotonic clock; inf when the client set none."""
        self.model = ""
        """The model's name once it is known, for the metrics. Set by whoever answers."""


Answer = Callable[[bytes, Rpc], Awaitable[bytes]]
"""From a request's message to its answer's, both serialized. Raises ServingError."""


class Calls:
    """Answers calls, and knows how many are in flight. Lives on the event loop."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._gathering = Gathering()
        self.in_flight = 0
        """Calls between their request and the end of their answer, which a slow client may still
        be reading."""
        self.refusing = False
        """New calls get UNAVAILABLE, because the server is about to stop."""

    def unary(self, api: str, answer: Answer) -> grpc.RpcMethodHandler[bytes, bytes]:
        """A method with one message each way; ``api`` is its name in metrics."""

        ended = cast(Any, self._ended)  # its stub leaves the argument out

        async def handle(request: bytes, context: Context) -> bytes:
            self.in_flight += 1
            context.add_done_callback(ended)
            return await self._counted(api, answer, request, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    def add_service(
        self, server: grpc.aio.Server, service: str, methods: Mapping[str, Answer]
    ) -> None:
        """Add a service of unary methods, by their names, to ``server``."""
        handlers = {name: self.unary(name, answer) for name, answer in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))

    async def _counted(self, api: str, answer: Answer, request: bytes, context: Context) -> bytes:
        """An error ends the call with its status; what is nobody's known mistake is logged, not
        told."""
        started = time.monotonic()
        remaining = context.time_remaining()
        rpc = Rpc(started, started + remaining if remaining is not None else math.inf)
        failure: Code | None = Code.INTERNAL
        try:
            data = await self._answered(answer, request, rpc)
            failure = None
            return data
        except asyncio.CancelledError:
            late = time.monotonic() >= rpc.deadline
            failure = Code.DEADLINE_EXCEEDED if late else Code.CANCELLED
            raise
        except ServingError as error:
            failure = error.code
            return await _abort(context, error)
        except Exception:
            logger.exception("call failed", extra={"api": api})
            return await _abort(context, _UNEXPECTED)
        finally:
            self._inference.count(api, rpc.model, failure, time.monotonic() - started)

    async def _answered(self, answer: Answer, request: bytes, rpc: Rpc) -> bytes:
        if self.refusing:
            raise _STOPPING
        if self.in_flight > 1:
            await self._gathering.join()
        return await answer(request, rpc)

    def _ended(self, _: Context) -> None:
        self.in_flight -= 1


def read_message(message: Any, request: bytes) -> Any:
    """A ``message`` from its bytes. Raises ServingError (INVALID_ARGUMENT)."""
    try:
        return message.FromString(request)
    except DecodeError:
        name = message.DESCRIPTOR.name
        raise invalid_argument(f"the request is no {name}") from None


async def _abort(context: Context, error: ServingError) -> bytes:
    """Raises what grpc.aio ends a call with."""
    details = details_of(error.message)
    await context.abort(status_of(error.code), details, retry_pushback(error))
    raise AssertionError("abort raises")
