"""One predict request at a time, from its body to its answer, by way of the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from batching import Outputs, RunTiming
from gateway.codecs.predict_json import Form, encode_outputs
from gateway.errors import Code, ServingError
from gateway.front.context import FrontContext
from gateway.front.link import ENGINE_GONE, EngineLink
from gateway.front.reading import ReadRequest, is_json, is_passable, read
from gateway.front.table import ReadableSignature, Route, Table
from gateway.hop.failures import Refused
from gateway.hop.frames import MAX_FRAME_BYTES
from gateway.hop.inputs import pack
from gateway.hop.replies import HopTiming
from gateway.http.hot.connection import HotConnection
from gateway.http.hot.head import Head
from gateway.http.large import LARGE_BODY_BYTES, is_large
from gateway.http.responses import code_of, json_bytes, refusal
from gateway.http.timing import server_timing

T = TypeVar("T")

_STOPPED = ServingError(Code.UNAVAILABLE, "the server is stopping")


class FrontRequest:
    """The request that a connection is at; see ``http.hot.connection.Turn`` and ``link.Waiter``.

    The engine counts every request that it gets, and is told of those that are refused here.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_context",
        "_form",
        "_generation",
        "_known_head",
        "_link",
        "_number",
        "_route",
        "_signature",
        "_started",
        "_table",
        "_with_engine",
        "head",
        "running",
    )

    def __init__(self, context: FrontContext, connection: HotConnection) -> None:
        self._context = context
        self._connection = connection
        self.head: Head | None = None
        self.running = False
        self._started = 0.0
        self._body = b""
        """As it came, in case that the engine wants to see it."""
        self._form = Form.ROW
        self._signature: ReadableSignature | None = None
        """None of a request that the engine reads."""
        self._link: EngineLink | None = None
        """That which has the request, under ``_number``, and has not answered yet."""
        self._number = 0
        self._with_engine = False
        """The engine has got the request, and counts it."""
        self._route: Route | None = None
        """That of ``_known_head``, in a generation of a table."""
        self._known_head: Head | None = None
        self._table: Table | None = None
        self._generation = 0

    # What the connection calls.

    def begin(self, head: Head) -> bool:
        engine = self._context.engine
        table = engine.table
        if (
            head is not self._known_head
            or table is not self._table
            or table.generation != self._generation
        ):
            self._route = table.route(head.path) if is_json(head) else None
            self._known_head, self._table, self._generation = head, table, table.generation
        if self._route is None and engine.link is not None and not is_passable(head):
            return False
        self.head = head
        self._started = time.monotonic()
        self._context.in_flight += 1
        return True

    def run(self, body: bytes) -> None:
        self.running = True
        self._body = body
        route = self._route
        if route is None:
            self._submit(None)
            return
        if self._context.engine.link is None:
            self._refuse(ENGINE_GONE)
            return
        if len(body) > LARGE_BODY_BYTES:
            self._on_thread(lambda: read(route, body), self._submit)
            return
        try:
            request = read(route, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            self._refuse(error)
            return
        self._submit(request)

    def withdraw(self) -> None:
        assert not self.running, "it cannot be taken back any more"
        if self.head is not None:
            self._forget()

    def abandon(self) -> None:
        if self.head is None:
            return
        if self._link is not None:
            self._link.cancel(self._number)
        self._count(Code.CANCELLED)
        self._forget()

    # What the link calls.

    def answer(self, outputs: Outputs, timing: RunTiming, queue_seconds: float) -> None:
        readable, form = self._signature, self._form
        assert readable is not None, "the engine has it"
        self._link = None
        signature = readable.known.signature
        if is_large(outputs):
            self._on_thread(
                lambda: encode_outputs(outputs, signature, form),
                lambda body: self._answer(body, timing, queue_seconds),
            )
            return
        try:
            body = encode_outputs(outputs, signature, form)
        except Exception as error:  # noqa: BLE001
            self._send_refusal(error)
            return
        self._answer(body, timing, queue_seconds)

    def answer_body(self, body: bytes, timing: HopTiming) -> None:
        self._answer(body, *timing)

    def fail(self, error: ServingError) -> None:
        self._link = None
        if error.retry_after is None or error is ENGINE_GONE or self._context.draining:
            self._send_refusal(error)
            return
        head, number = self.head, self._number

        def refuse() -> None:
            if self.head is head and self._number == number:
                self._send_refusal(error)

        # Who is refused at once asks again at once.
        self._context.hold.keep(refuse)

    def answer_http(self, answer: bytes, close: bool) -> None:
        self._forget()
        self._connection.send(answer, close)

    def go_otherwise(self) -> None:
        if self._signature is None:
            self._hand_back()
        else:
            self._submit(None)

    # Inside.

    def _submit(self, request: ReadRequest | None) -> None:
        """Let the engine have it: as values or, without a request, as it came."""
        link = self._context.engine.link
        if link is None:
            self._refuse(ENGINE_GONE)
            return
        if request is None:
            self._pass_on(link)
            return
        form, signature, inputs = request
        rows, values = pack(inputs)
        if len(self._body) > LARGE_BODY_BYTES and sum(map(len, values)) > MAX_FRAME_BYTES // 2:
            self._hand_back()
            return
        description = signature.describe(inputs, rows=form is Form.ROW)
        self._form, self._signature = form, signature
        self._link, self._with_engine = link, True
        self._number = link.submit(self, description, rows, values, self._started)

    def _pass_on(self, link: EngineLink) -> None:
        """Let the engine read the request."""
        assert self.head is not None, "begun"
        if not is_passable(self.head):
            self._hand_back()
            return
        self._signature = None
        self._link, self._with_engine = link, True
        head = self._connection.head_bytes
        self._number = link.pass_on(self, head, self._body, self._started)

    def _hand_back(self) -> None:
        body = self._body
        self._forget()
        self._connection.hand_back(body)

    def _answer(self, body: bytes, timing: RunTiming, queue_seconds: float) -> None:
        context, head = self._context, self.head
        assert head is not None, "begun"
        self._forget()
        close = context.draining or not head.keep_alive
        if head.wants_timing or context.always_timing:
            response = json_bytes(body)
            response.headers["Server-Timing"] = server_timing(HopTiming(timing, queue_seconds))
            self._connection.send(context.answers.of(response, close), close)
        else:
            self._connection.send(context.answers.ok(body, close), close)

    def _on_thread(self, function: Callable[[], T], then: Callable[[T], None]) -> None:
        """Go on with what ``function`` returns, unless the request was abandoned meanwhile."""
        body = self._body

        def done(future: asyncio.Future[Any]) -> None:
            error = _STOPPED if future.cancelled() else future.exception()
            # Every request has a body of its own, if it is not a small one.
            if self._body is not body or not self.running:
                return
            if error is not None:
                self._refuse(error)
            else:
                then(future.result())

        try:
            running = asyncio.get_running_loop().run_in_executor(self._context.codec, function)
        except RuntimeError:  # the threads are shut down
            self._refuse(_STOPPED)
            return
        running.add_done_callback(done)

    def _refuse(self, error: BaseException) -> None:
        """Answer with an error of this process's own."""
        self._count(code_of(error))
        self._send_refusal(error)

    def _count(self, code: Code) -> None:
        """Let the engine count a request that it does not get."""
        link = self._context.engine.link
        if self.head is not None and link is not None and not self._with_engine:
            seconds = time.monotonic() - self._started
            link.count(Refused(self.head.path.name, code, seconds))

    def _send_refusal(self, error: BaseException) -> None:
        context, head = self._context, self.head
        assert head is not None, "begun"
        self._forget()
        close = context.draining or not head.keep_alive
        if isinstance(error, ServingError) and error.retry_after is not None:
            self._connection.send(context.answers.later(error, close), close)
        else:
            self._connection.send(context.answers.of(refusal(error, "POST"), close), close)

    def _forget(self) -> None:
        self._context.in_flight -= 1
        self.head = self._link = self._signature = None
        self.running = self._with_engine = False
        self._body = b""
