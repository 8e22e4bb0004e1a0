"""One front's connection: requests in, answers out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import cast

from batching import BatchingError, Item
from gateway.engine.channel import Channel, Channels, Lane
from gateway.engine.outbox import Outbox
from gateway.engine.passed import MakeTurn, PassedRequests
from gateway.engine.replies import Done, describe, together
from gateway.engine.written import write_answer
from gateway.errors import Code, ServingError
from gateway.hop.failures import read_refused
from gateway.hop.frames import (
    BrokenFrame,
    Buffer,
    FrameReader,
    Kind,
    check_hello,
    hello,
    read_numbers,
)
from gateway.hop.passed import read_passed
from gateway.hop.requests import RequestGroup, read_requests
from gateway.http.call import Calls
from gateway.http.hot.head import HeadReader
from gateway.http.paths import ModelPath
from gateway.http.responses import code_of
from gateway.http.router import Router

logger = logging.getLogger(__name__)

_INTERNAL = ServingError(Code.INTERNAL, "internal error")


@dataclass(frozen=True, slots=True)
class LinkContext:
    """What the links of all fronts share."""

    channels: Channels
    router: Router
    """Counts the requests."""
    calls: Calls
    codec: Executor
    """Writes what is large."""
    heads: HeadReader
    make_turn: MakeTurn
    """For requests that come as HTTP."""


class FrontLink(asyncio.Protocol):
    """Counts every request that arrives once, whatever becomes of it."""

    def __init__(
        self,
        context: LinkContext,
        on_made: Callable[[FrontLink], None],
        on_lost: Callable[[FrontLink], None],
    ) -> None:
        self._context = context
        self._on_made = on_made
        self._on_lost = on_lost
        self._outbox = Outbox(self._answer)
        self._passed = PassedRequests(context.heads, context.make_turn, self._outbox)
        self._reader = FrameReader()
        self._greeted = False
        self._pending: dict[int, tuple[Lane, float, Item]] = {}
        """By number the requests that have no outcome, with their first seconds."""
        self._done: list[Done] = []
        """Requests whose outputs go out with the next frame."""
        self._writing = 0
        """Answers that are being written on a thread."""

    @property
    def busy(self) -> bool:
        """Whether answers are still to be given or on their way."""
        unanswered = len(self._pending) + len(self._passed) + self._writing
        return unanswered > 0 or not self._outbox.is_empty

    def close(self) -> None:
        """Send what is there and end the connection."""
        if self._outbox.transport is not None:
            self._outbox.send()
            self._outbox.transport.close()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._outbox.transport = cast("asyncio.Transport", transport)
        self._outbox.write([hello()])
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._reader.feed(data):
                if self._greeted:
                    self._read(kind, payload)
                else:
                    check_hello(kind, payload)
                    self._greeted = True
                    self._context.channels.mirror.add(self._tell)
        except BrokenFrame as error:
            logger.error("a front sends nonsense", extra={"reason": str(error)})
            assert self._outbox.transport is not None, "connected"
            self._outbox.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._outbox.transport = None
        self._context.channels.mirror.remove(self._tell)
        for number in list(self._pending):
            self._cancel(number)
        self._passed.cancel_all()
        self._on_lost(self)

    # Frames from the front.

    def _read(self, kind: int, payload: Buffer) -> None:
        if kind == Kind.REQUESTS:
            for group in read_requests(payload):
                self._take(group)
        elif kind == Kind.PASSED:
            self._passed.take(read_passed(payload))
        elif kind == Kind.CANCEL:
            for number in read_numbers(payload):
                self._cancel(number)
                self._passed.cancel(number)
        elif kind == Kind.REFUSED:
            for refused in read_refused(payload):
                path = ModelPath("predict", refused.model)
                self._context.router.count(path, refused.code, refused.seconds)
        else:
            raise BrokenFrame(f"a frame of kind {kind}")

    def _take(self, group: RequestGroup) -> None:
        channel = self._context.channels.get(group.description)
        values = group.values
        steady = channel.is_steady()
        lane = _lane(channel) if steady else None
        stop = 0
        for number, rows, size, started in group.records:
            start, stop = stop, stop + size
            if not steady:
                lane = _lane(channel)
            if isinstance(lane, Lane):
                self._submit(lane, number, rows, values[start:stop], started)
            elif lane is None:
                self._outbox.want_as_http(number)
            else:
                seconds = time.monotonic() - started
                self._context.router.count(channel.path, lane.code, seconds)
                self._outbox.fail(number, lane)

    def _submit(self, lane: Lane, number: int, rows: int, values: Buffer, started: float) -> None:
        inputs = lane.read(values, rows)
        context = self._context
        context.router.in_flight += 1
        try:
            item = lane.queue.batcher.submit(
                inputs,
                deadline=started + context.calls.timeout,
                done=partial(self._ended, lane, number, started),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            self._fail(lane, number, started, error)
            return
        if not item.finished:
            self._pending[number] = (lane, started, item)

    def _cancel(self, number: int) -> None:
        """Nobody waits for it any more."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            lane, started, item = pending
            item.cancel()
            self._count(lane, started, Code.CANCELLED)

    # Outcomes.

    def _ended(self, lane: Lane, number: int, started: float, item: Item) -> None:
        self._pending.pop(number, None)
        outputs = item.outputs
        if outputs is None:
            assert item.error is not None, "finished"
            self._fail(lane, number, started, item.error)
            return
        if not self._done:
            self._outbox.send_soon()
        self._done.append(Done(lane, number, started, item))

    def _answer(self) -> None:
        """Let the front have all outputs that are there."""
        done, self._done = self._done, []
        for group in together(done):
            lane, _, _, first = group[0]
            outputs, timing = first.outputs, first.timing
            assert outputs is not None, "answered"
            assert timing is not None, "answered"
            self._context.calls.answered_together(lane, timing, len(group))
            description = describe(outputs, lane.queue.signature)
            if description:
                self._count_answers(lane, group)
                self._outbox.answer(description, group)
            else:
                for one in group:
                    self._write_here(one)

    def _write_here(self, one: Done) -> None:
        """An answer that a front cannot write, or whose writing fails."""
        lane, number, started, _ = one

        def written(frame: list[Buffer] | None, error: BaseException | None) -> None:
            self._writing -= 1
            if frame is not None:
                self._count(lane, started, None)
                self._outbox.write(frame)
            else:
                assert error is not None, "there is no answer"
                self._fail_finally(lane, number, started, error)

        self._writing += 1
        write_answer(one, self._context.codec, written)

    def _fail(self, lane: Lane, number: int, started: float, error: BaseException) -> None:
        """The batcher refused the request, or its run failed."""
        if isinstance(error, BatchingError | ServingError):
            error = self._context.calls.failed(lane, error)
        self._fail_finally(lane, number, started, error)

    def _fail_finally(self, lane: Lane, number: int, started: float, error: BaseException) -> None:
        self._count(lane, started, code_of(error))
        if not isinstance(error, ServingError):  # nobody's known mistake
            logger.error("request failed", exc_info=error)
            error = _INTERNAL
        self._outbox.fail(number, error)

    def _count_answers(self, lane: Lane, group: Sequence[Done]) -> None:
        router, now = self._context.router, time.monotonic()
        router.count_answers(lane.path, [now - started for _, _, started, _ in group])
        router.in_flight -= len(group)

    def _count(self, lane: Lane, started: float, failure: Code | None) -> None:
        """A request that was submitted is over."""
        router = self._context.router
        router.count(lane.path, failure, time.monotonic() - started)
        router.in_flight -= 1

    def _tell(self, frame: bytes) -> None:
        self._outbox.write([frame])


def _lane(channel: Channel) -> Lane | ServingError | None:
    try:
        return channel.lane()
    except ServingError as error:
        return error
