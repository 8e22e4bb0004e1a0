"""Plain requests that a front has not read: each is answered as on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.engine.outbox import Outbox
from gateway.hop.passed import PassedRequest, answer_frame
from gateway.http.hot.connection import Turn
from gateway.http.hot.head import HeadReader
from gateway.http.hot.request import Send

MakeTurn = Callable[[Send], Turn]


class PassedRequests:
    """Those of one front. Each counts itself, whatever becomes of it."""

    def __init__(self, heads: HeadReader, make_turn: MakeTurn, outbox: Outbox) -> None:
        self._heads = heads
        self._make_turn = make_turn
        self._outbox = outbox
        self._turns: dict[int, Turn] = {}

    def __len__(self) -> int:
        """How many have no answer."""
        return len(self._turns)

    def take(self, request: PassedRequest) -> None:
        """Let a request run, or want its whole connection if it is not plain after all."""
        head = self._heads.read(request.head)
        if head is None or head.body_bytes != len(request.body):
            self._outbox.want_as_http(request.number)
            return
        turn = self._make_turn(partial(self._answer, request.number))
        self._turns[request.number] = turn
        turn.begin(head)
        turn.run(request.body)

    def cancel(self, number: int) -> None:
        """Nobody waits for it any more."""
        turn = self._turns.pop(number, None)
        if turn is not None:
            turn.abandon()

    def cancel_all(self) -> None:
        """The front is gone."""
        for number in list(self._turns):
            self.cancel(number)

    def _answer(self, number: int, answer: bytes, close: bool) -> None:
        del self._turns[number]
        self._outbox.write(answer_frame(number, answer, close))
