"""One request at a time from its body to its answer, in callbacks: no task, no timer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from batching import BatchingError, Item, Outputs
from gateway.codecs.predict_json import DEFAULT_SIGNATURE
from gateway.errors import Code, ServingError
from gateway.http.binary import SIGNATURE_NAME, inference_response, is_binary, with_binary
from gateway.http.call import Call, Calls, InferenceApi
from gateway.http.hot.answers import AnswerWriter
from gateway.http.hot.head import Head
from gateway.http.hot.hold import Hold
from gateway.http.large import is_large
from gateway.http.responses import code_of, refusal
from gateway.http.router import Router
from gateway.http.timing import server_timing

_STOPPED = ServingError(Code.UNAVAILABLE, "the server is stopping")

Send = Callable[[bytes, bool], None]
"""Takes an answer, and whether the connection ends with it."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the turns of all connections share."""

    router: Router
    calls: Calls
    api: InferenceApi[Any]
    answers: AnswerWriter
    codec: Executor
    """Encodes what is large."""
    hold: Hold
    check_method_names: bool
    """Refuse signatures that were exported for another call."""
    always_timing: bool


class CurrentRequest:
    """The request that a connection is at. Used again for each one of the connection.

    Every request that ``begin`` is called for is counted once, whatever becomes of it, and gives
    its lease back; ``send`` is called unless it was abandoned.
    """

    __slots__ = ("_context", "_item", "_send", "_started", "call", "head", "running")

    def __init__(self, context: RequestContext, send: Send) -> None:
        self._context = context
        self._send = send
        self.head: Head | None = None
        """That of the present request, if there is one."""
        self.call: Call | None = None
        """The present request once its model is found."""
        self.running = False
        """Whether it has its body and no answer."""
        self._item: Item | None = None
        self._started = 0.0

    def begin(self, head: Head) -> bool:
        """A request's head is there. All are taken."""
        self.head = head
        self._started = time.monotonic()
        self._context.router.in_flight += 1
        return True

    def run(self, body: bytes) -> None:
        """The body of the request that began is there."""
        context, head = self._context, self.head
        assert head is not None, "begun"
        self.running = True
        if context.calls.overload.refused and self._is_refused(head, body):
            return
        try:
            api = context.api if head.binary is None else self._binary_api(head.binary)
            call = context.calls.open(api, head.path, body, self._started)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            self._refuse(error)
            return
        self.call = call
        try:
            self._item = context.calls.submit(call, self._on_outcome)
        except Exception as error:  # noqa: BLE001
            self._fail(call, error)

    def withdraw(self) -> None:
        """Forget a request that waits for its body: somebody else answers it."""
        assert not self.running, "it cannot be taken back any more"
        if self.head is not None:
            self.head = None
            self._context.router.in_flight -= 1

    def abandon(self) -> None:
        """The client is gone: take the request out of the queue, if there is one."""
        if self.head is None:
            return
        call, item = self.call, self._item
        self._end(self.head, Code.CANCELLED)
        if item is not None:
            item.cancel()
        if call is not None:
            call.servable.release()

    def _on_outcome(self, item: Item) -> None:
        """The batcher is done with the request; it does not call when the request was abandoned."""
        call, outputs = self.call, item.outputs
        assert call is not None, "submitted"
        if outputs is None:
            assert item.error is not None, "finished"
            self._fail(call, item.error)
            return
        self._context.calls.answered(call, item)
        try:
            if is_large(outputs):
                self._encode_on_thread(call, outputs)
                return
            answer = call.encode(outputs)
        except Exception as failure:  # noqa: BLE001
            self._fail_finally(call, failure)
            return
        self._answer(call, outputs, answer)

    def _encode_on_thread(self, call: Call, outputs: Outputs) -> None:
        def encoded(future: asyncio.Future[bytes]) -> None:
            error = _STOPPED if future.cancelled() else future.exception()
            if self.call is not call:
                return  # abandoned
            if error is not None:
                self._fail_finally(call, error)
            else:
                self._answer(call, outputs, future.result())

        loop = asyncio.get_running_loop()
        loop.run_in_executor(self._context.codec, call.encode, outputs).add_done_callback(encoded)

    def _answer(self, call: Call, outputs: Outputs, answer: bytes) -> None:
        context, head, item = self._context, self.head, self._item
        assert head is not None, "begun"
        assert item is not None, "submitted"
        if context.calls.observers:
            context.calls.tell_answer(call, outputs, answer)
        call.servable.release()
        self._end(head, None)
        close = context.router.draining or not head.keep_alive
        if head.binary is not None or head.wants_timing or context.always_timing:
            self._answer_with_fields(call, item, head, answer, close)
        else:
            self._send(context.answers.ok(answer, close), close)

    def _answer_with_fields(
        self, call: Call, item: Item, head: Head, answer: bytes, close: bool
    ) -> None:
        context = self._context
        response = inference_response(call.api, answer)
        if head.wants_timing or context.always_timing:
            response.headers["Server-Timing"] = server_timing(item)
        self._send(context.answers.of(response, close), close)

    def _fail(self, call: Call, error: BaseException) -> None:
        """The batcher refused the request, or its run failed."""
        if isinstance(error, BatchingError | ServingError):
            error = self._context.calls.failed(call, error)
        self._fail_finally(call, error)

    def _fail_finally(self, call: Call, error: BaseException) -> None:
        self._context.calls.tell_failure(call, error)
        call.servable.release()
        self._refuse(error)

    def _binary_api(self, fields: Mapping[str, str]) -> InferenceApi[Any]:
        context = self._context
        return with_binary(context.api, fields, check_method_names=context.check_method_names)

    def _is_refused(self, head: Head, body: bytes) -> bool:
        """Whether there is no room, as far as that is known without a look at the values."""
        context = self._context
        error = context.calls.refusal(head.path, _signature_name(head, body))
        if error is None:
            return False

        def answer() -> None:
            if self.head is head and self.running:
                self._refuse(error)

        if context.router.draining:
            answer()
        else:
            context.hold.keep(answer)
        return True

    def _refuse(self, error: BaseException) -> None:
        context, head = self._context, self.head
        assert head is not None, "begun"
        self._end(head, code_of(error))
        close = context.router.draining or not head.keep_alive
        if isinstance(error, ServingError) and error.retry_after is not None:
            self._send(context.answers.later(error, close), close)
        else:
            self._send(context.answers.of(refusal(error, "POST"), close), close)

    def _end(self, head: Head, failure: Code | None) -> None:
        """Count the request and forget it."""
        router = self._context.router
        router.count(head.path, failure, time.monotonic() - self._started)
        router.in_flight -= 1
        self.head = self.call = self._item = None
        self.running = False


def _signature_name(head: Head, body: bytes) -> str | None:
    """What a request asks for; None where that takes more than a look."""
    if head.binary is not None and is_binary(head.binary):
        return head.binary.get(SIGNATURE_NAME) or DEFAULT_SIGNATURE
    # An escaped key may name a signature too.
    plain = b"signature_name" not in body and b"\\" not in body
    return DEFAULT_SIGNATURE if plain else None
