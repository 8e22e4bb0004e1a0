"""ModelStreamInfer: many requests on one stream.

Requests run side by side; answers leave in the order of the requests, as Triton's do for models
with one answer a request. A request that fails is answered by an error message and ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterable

import grpc

from gateway.errors import Code, ServingError
from gateway.grpc.calls import Calls, Context, Rpc
from gateway.grpc.errors import details_of, retry_pushback, status_of
from gateway.grpc.oip_infer import ModelInfer
from gateway.grpc.oip_responses import encode_error, stream_response
from gateway.inference import Inference
from gateway.oip.messages import Parameters

logger = logging.getLogger(__name__)

MAX_REQUESTS = 128
MAX_BYTES = 64 * 1024 * 1024
"""While so many requests, or bytes of them, of one stream are unanswered, no more are read."""

API = "ModelStreamInfer"
FINAL: Parameters = {"triton_final_response": True}
"""Of every answer on a stream: no other follows for its request."""

_STATUS_ON_ERROR = ("triton_grpc_error", "true")
"""Metadata of a client that wants its stream to end with a status at the first error."""

Reply = bytes | ServingError


class StreamInfer:
    """The method ModelStreamInfer."""

    def __init__(self, calls: Calls, infer: ModelInfer, inference: Inference) -> None:
        self._calls = calls
        self._infer = infer
        self._inference = inference

    def handler(self) -> grpc.RpcMethodHandler[bytes, bytes]:
        return grpc.stream_stream_rpc_method_handler(self._serve)

    async def _serve(self, requests: AsyncIterable[bytes], context: Context) -> None:
        remaining = context.time_remaining()
        deadline = time.monotonic() + remaining if remaining is not None else math.inf
        strict = _STATUS_ON_ERROR in (context.invocation_metadata() or ())
        error = await _Stream(self, context, deadline, strict=strict).serve(requests)
        if error is not None:
            details = details_of(error.message)
            await context.abort(status_of(error.code), details, retry_pushback(error))

    async def reply(self, data: bytes, deadline: float) -> tuple[Reply, str]:
        """The answer to one request, or what is wrong with it, and the request's id."""
        rpc = Rpc(time.monotonic(), deadline)
        failure: Code | None = Code.INTERNAL
        request_id = ""
        self._calls.in_flight += 1
        try:
            message = await self._infer.parse(data, rpc)
            request_id = message.id
            answer = await self._infer.answer(message, data, rpc, api=API, parameters=FINAL)
            failure = None
            return answer, request_id
        except asyncio.CancelledError:
            late = time.monotonic() >= deadline
            failure = Code.DEADLINE_EXCEEDED if late else Code.CANCELLED
            raise
        except ServingError as error:
            failure = error.code
            return error, request_id
        except Exception:
            logger.exception("call failed", extra={"api": API})
            return ServingError(Code.INTERNAL, "internal error"), request_id
        finally:
            self._calls.in_flight -= 1
            self._inference.count(API, rpc.model, failure, time.monotonic() - rpc.started)


class _Stream:
    """One client's stream."""

    def __init__(
        self, method: StreamInfer, context: Context, deadline: float, *, strict: bool
    ) -> None:
        """``strict``: an error is not answered but ends the stream."""
        self._method = method
        self._context = context
        self._deadline = deadline
        self._strict = strict
        self._unanswered = 0
        self._unanswered_bytes = 0
        self._room = asyncio.Event()
        self._order: asyncio.Queue[tuple[asyncio.Task[tuple[Reply, str]], int] | None]
        self._order = asyncio.Queue()

    async def serve(self, requests: AsyncIterable[bytes]) -> ServingError | None:
        """Answer until the client sends no more; the error that ended the stream, if one did.

        Being cancelled, as by a client that leaves, cancels the requests in flight. Raises gRPC's
        own error when an answer cannot be sent any more.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write())
                async for data in requests:
                    reply = tasks.create_task(self._method.reply(data, self._deadline))
                    self._order.put_nowait((reply, len(data)))
                    await self._take_room(len(data))
                self._order.put_nowait(None)
        except ExceptionGroup as group:
            error = _first(group)
            if isinstance(error, ServingError):
                return error
            # By itself, not in a group: gRPC knows that it is no news when its client has left.
            raise error from None
        return None

    async def _take_room(self, size: int) -> None:
        """Count a request in, and wait until there is room for another."""
        self._unanswered += 1
        self._unanswered_bytes += size
        while self._unanswered >= MAX_REQUESTS or self._unanswered_bytes >= MAX_BYTES:
            self._room.clear()
            await self._room.wait()

    async def _write(self) -> None:
        while (entry := await self._order.get()) is not None:
            task, size = entry
            reply, request_id = await task
            await self._context.write(self._message(reply, request_id))
            self._unanswered -= 1
            self._unanswered_bytes -= size
            self._room.set()

    def _message(self, reply: Reply, request_id: str) -> bytes:
        if not isinstance(reply, ServingError):
            return stream_response(reply)
        if self._strict:
            raise reply
        return encode_error(reply.message, request_id, FINAL)


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
