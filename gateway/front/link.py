"""The connection to the engine: requests out in frames, answers in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from batching import BatchOutputs, OutputRows, Outputs, RunTiming
from gateway.errors import Code, ServingError
from gateway.front.table import Table
from gateway.hop.failures import Refused, read_errors, refused_frame
from gateway.hop.frames import (
    BrokenFrame,
    Buffer,
    FrameReader,
    Kind,
    check_hello,
    hello,
    numbers_frame,
    read_json,
    read_numbers,
)
from gateway.hop.outputs import read_layout, read_rows
from gateway.hop.passed import passed_frame, read_answer
from gateway.hop.replies import HopTiming, read_body, read_replies
from gateway.hop.requests import RequestFrames
from gateway.hop.routes import read_routes

logger = logging.getLogger(__name__)

GRACE_SECONDS = 1.0
"""The engine ends what is late itself. Beyond this it does not: then it hangs."""

ENGINE_GONE = ServingError(
    Code.UNAVAILABLE, "the inference engine is not available", retry_after=1.0
)
_HANGS = ServingError(Code.DEADLINE_EXCEEDED, "no answer in time")


class Waiter(Protocol):
    """A request that the engine has. One of these is called, once."""

    def answer(self, outputs: Outputs, timing: RunTiming, queue_seconds: float) -> None:
        """Its outputs are there; the run, and how long it waited for that."""

    def answer_body(self, body: bytes, timing: HopTiming) -> None:
        """Its answer is there, written by the engine."""

    def answer_http(self, answer: bytes, close: bool) -> None:
        """Its answer is there, head and all; whether the connection ends with it."""

    def fail(self, error: ServingError) -> None:
        """It will not be answered."""

    def go_otherwise(self) -> None:
        """The engine wants it as it came or, if it has it so, with its connection."""


class EngineLink(asyncio.Protocol):
    """One connection. Whatever waits when it is lost fails with ENGINE_GONE."""

    def __init__(self, table: Table, timeout: float, on_lost: Callable[[EngineLink], None]) -> None:
        """``table`` is kept as the engine says. ``timeout`` in seconds, from a request's start."""
        self._table = table
        self._timeout = timeout
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader()
        self._greeted = False
        self._frames = RequestFrames()
        self._cancelled: list[int] = []
        self._refused: list[Refused] = []
        self._flush_is_due = False
        self._waiting: dict[int, tuple[Waiter, float]] = {}
        """By number, with the request's first second; the oldest first."""
        self._number = 0
        self._overdue: asyncio.TimerHandle | None = None
        self._read: dict[int, Callable[[Buffer], None]] = {
            Kind.ROUTES: lambda payload: self._table.update(read_routes(read_json(payload))),
            Kind.REPLIES: self._read_replies,
            Kind.BODY: self._read_body,
            Kind.ANSWER: self._read_answer,
            Kind.ERRORS: self._read_errors,
            Kind.STALE: self._read_stale,
        }

    # What requests call.

    def submit(
        self,
        waiter: Waiter,
        description: bytes,
        rows: int,
        values: Sequence[Buffer],
        started: float,
    ) -> int:
        """Send a request with the next frame; its number. ``rows`` and ``values`` as
        ``hop.inputs.pack`` has them."""
        number = self._wait(waiter, started)
        if self._frames.add(description, number, rows, values, started):
            self._flush()
        elif not self._flush_is_due:
            self._flush_soon()
        return number

    def pass_on(self, waiter: Waiter, head: bytes, body: bytes, started: float) -> int:
        """Send a request as it came; its number."""
        number = self._wait(waiter, started)
        if self._transport is not None:
            self._transport.writelines(passed_frame(number, head, body))
        return number

    def cancel(self, number: int) -> None:
        """Nobody waits for a request any more; its waiter is not called."""
        if self._waiting.pop(number, None) is not None:
            self._cancelled.append(number)
            self._flush_soon()

    def count(self, refused: Refused) -> None:
        """Let the engine count a request that it does not see."""
        self._refused.append(refused)
        self._flush_soon()

    def close(self) -> None:
        """End the connection once all that was sent is answered."""
        if not self._waiting and self._transport is not None:
            self._flush()
            self._transport.close()
        else:
            self._loop.call_later(GRACE_SECONDS, self.close)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(hello())

    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._reader.feed(data):
                if not self._greeted:
                    check_hello(kind, payload)
                    self._greeted = True
                elif kind in self._read:
                    self._read[kind](payload)
                else:
                    raise BrokenFrame(f"a frame of kind {kind}")
        except BrokenFrame as error:
            logger.error("the engine sends nonsense", extra={"reason": str(error)})
            assert self._transport is not None, "connected"
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._overdue is not None:
            self._overdue.cancel()
        # First of all: what fails now may bring the next request of its connection.
        self._on_lost(self)
        waiting, self._waiting = self._waiting, {}
        for waiter, _ in waiting.values():
            waiter.fail(ENGINE_GONE)

    # Inside.

    def _wait(self, waiter: Waiter, started: float) -> int:
        """A number for a request that the engine gets."""
        self._number = number = self._number + 1
        self._waiting[number] = waiter, started
        if self._overdue is None:
            self._overdue = self._loop.call_later(GRACE_SECONDS, self._fail_overdue)
        return number

    def _flush_soon(self) -> None:
        """Send once the event loop has seen to everything that came together."""
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        transport = self._transport
        if transport is None:
            return
        try:
            pieces = self._frames.take()
        except ValueError as error:
            logger.error("requests are too large for a frame", extra={"reason": str(error)})
            transport.abort()
            return
        if len(pieces) > 1:
            transport.writelines(pieces)
        if self._cancelled:
            transport.write(numbers_frame(Kind.CANCEL, self._cancelled))
            self._cancelled.clear()
        if self._refused:
            transport.write(refused_frame(self._refused))
            self._refused.clear()

    def _read_replies(self, payload: Buffer) -> None:
        for group in read_replies(payload):
            layout = read_layout(group.description)
            rows = sum([record[1] for record in group.records])
            arrays = read_rows(group.values, layout, rows)
            batch, timing = BatchOutputs(arrays), group.timing
            pop = self._waiting.pop
            stop = 0
            for number, count, queue_seconds in group.records:
                start, stop = stop, stop + count
                waiting = pop(number, None)
                if waiting is not None:
                    outputs = OutputRows(batch, start, stop) if layout.shared else arrays
                    waiting[0].answer(outputs, timing, queue_seconds)

    def _read_body(self, payload: Buffer) -> None:
        number, timing, body = read_body(payload)
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting[0].answer_body(body, timing)

    def _read_answer(self, payload: Buffer) -> None:
        number, answer, close = read_answer(payload)
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting[0].answer_http(answer, close)

    def _read_errors(self, payload: Buffer) -> None:
        for number, error in read_errors(payload):
            waiting = self._waiting.pop(number, None)
            if waiting is not None:
                waiting[0].fail(error)

    def _read_stale(self, payload: Buffer) -> None:
        for number in read_numbers(payload):
            waiting = self._waiting.pop(number, None)
            if waiting is not None:
                waiting[0].go_otherwise()

    def _fail_overdue(self) -> None:
        """One timer for all requests; the clients of an engine that hangs are not kept."""
        self._overdue = None
        limit = time.monotonic() - self._timeout - GRACE_SECONDS
        late = []
        for number, (waiter, started) in self._waiting.items():
            if started > limit:
                break
            late.append((number, waiter))
        for number, waiter in late:
            self.cancel(number)
            waiter.fail(_HANGS)
        if self._waiting:
            self._overdue = self._loop.call_later(GRACE_SECONDS, self._fail_overdue)
