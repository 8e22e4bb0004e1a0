"""One predict request at a time, from its body to its answer, by way of the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from batching import Inputs, Outputs, RunTiming
from gateway.codecs.predict_json import Form, decode_inputs, encode_outputs, parse_predict
from gateway.errors import Code, ServingError
from gateway.front.engine import Engine
from gateway.front.link import ENGINE_GONE, EngineLink
from gateway.front.table import ReadableSignature, Route, Table
from gateway.hop.failures import Refused
from gateway.hop.frames import MAX_FRAME_BYTES
from gateway.hop.inputs import pack
from gateway.hop.replies import HopTiming
from gateway.http.binary import accepts_binary, is_binary
from gateway.http.hot.answers import AnswerWriter
from gateway.http.hot.connection import HotConnection
from gateway.http.hot.head import Head
from gateway.http.hot.hold import Hold
from gateway.http.large import LARGE_BODY_BYTES, is_large
from gateway.http.responses import code_of, json_bytes, refusal
from gateway.http.timing import server_timing

T = TypeVar("T")

_STOPPED = ServingError(Code.UNAVAILABLE, "the server is stopping")


@dataclass(slots=True)
class FrontContext:
    """What the requests of all connections share."""

    engine: Engine
    answers: AnswerWriter
    hold: Hold
    codec: Executor
    """Reads and writes what is large."""
    always_timing: bool
    draining: bool = False
    """Answers ask clients to close their connection."""
    in_flight: int = 0
    """Requests between their head and their answer, but for those that are passed on."""


class ReadRequest(NamedTuple):
    """What a body asks for."""

    form: Form
    signature: ReadableSignature
    inputs: Inputs


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
            self._route = table.route(head.path) if _is_json(head) else None
            self._known_head, self._table, self._generation = head, table, table.generation
        if self._route is None and engine.link is not None:
            return False
        self.head = head
        self._started = time.monotonic()
        self._context.in_flight += 1
        return True

    def run(self, body: bytes) -> None:
        self.running = True
        self._body = body
        route = self._route
        if route is None or self._context.engine.link is None:
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

    def go_as_http(self) -> None:
        self._hand_back()

    # Inside.

    def _submit(self, request: ReadRequest | None) -> None:
        """Let the engine have it: as values or, without a request, as it came."""
        link = self._context.engine.link
        if link is None:
            self._refuse(ENGINE_GONE)
            return
        if request is None:
            self._hand_back()
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
        self.head = self._link = None
        self.running = self._with_engine = False
        self._body = b""


def _is_json(head: Head) -> bool:
    """Whether request and answer are JSON. Raw tensors need no reading: the engine may as well
    have them as they are."""
    fields = head.binary
    return fields is None or not (is_binary(fields) or accepts_binary(fields))


def read(route: Route, body: bytes) -> ReadRequest | None:
    """What a body asks of a route; None when it names a signature that cannot be read here.
    Raises ServingError."""
    parsed = parse_predict(body)
    signature = route.get(parsed.signature_name)
    if signature is None:
        return None
    known = signature.known
    inputs = decode_inputs(parsed, known.signature, known.optional)
    return ReadRequest(parsed.form, signature, inputs)
