"""What goes to a front, gathered while it comes together and sent in few frames."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from gateway.engine.replies import Done, reply_group
from gateway.errors import Code, ServingError
from gateway.hop.failures import errors_frame
from gateway.hop.frames import FULL_FRAME_BYTES, Buffer, Kind, frame, numbers_frame

logger = logging.getLogger(__name__)

_BROKEN = ServingError(Code.INTERNAL, "internal error")


class Outbox:
    """Of one front. Sends in the next turn of the event loop: a batch's requests, which end one
    after the other in one turn, share a frame."""

    def __init__(self, fill: Callable[[], None]) -> None:
        """``fill`` is called before anything is sent, to add what is there."""
        self.transport: asyncio.Transport | None = None
        """None: nothing is sent any more."""
        self._fill = fill
        self._loop = asyncio.get_running_loop()
        self._replies: list[Buffer] = []
        self._size = 0
        self._errors: list[tuple[int, ServingError]] = []
        self._stale: list[int] = []
        self._is_due = False

    @property
    def is_empty(self) -> bool:
        """Whether everything is sent, as far as this process is concerned."""
        sent = self.transport is None or not self.transport.get_write_buffer_size()
        return sent and not self._is_due

    def send_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self.send)

    def answer(self, description: bytes, done: Sequence[Done]) -> None:
        """Requests that share a batch, or a single one."""
        pieces = self._group(description, done)
        added = sum([len(piece) for piece in pieces])
        if self._replies and self._size + added > FULL_FRAME_BYTES:
            self._send_replies()
        self._replies += pieces
        self._size += added
        self.send_soon()

    def fail(self, number: int, error: ServingError) -> None:
        self._errors.append((number, error))
        self.send_soon()

    def want_as_http(self, number: int) -> None:
        self._stale.append(number)
        self.send_soon()

    def write(self, pieces: list[Buffer]) -> None:
        """Send a frame now."""
        if self.transport is not None:
            self.transport.writelines(pieces)

    def send(self) -> None:
        """Send what is there."""
        self._fill()
        self._is_due = False
        if self._replies:
            self._send_replies()
        if self._errors:
            self.write([errors_frame(self._errors)])
            self._errors.clear()
        if self._stale:
            self.write([numbers_frame(Kind.STALE, self._stale)])
            self._stale.clear()

    def _send_replies(self) -> None:
        pieces, self._replies, self._size = self._replies, [], 0
        self.write(frame(Kind.REPLIES, pieces))

    def _group(self, description: bytes, done: Sequence[Done]) -> list[Buffer]:
        try:
            pieces = reply_group(description, done)
            frame(Kind.REPLIES, pieces)
        except (TypeError, ValueError) as error:
            if len(done) > 1:  # together they may be too long; one may be broken
                return [piece for one in done for piece in self._group(description, [one])]
            logger.error("an answer cannot be sent", extra={"reason": str(error)})
            self._errors.append((done[0].number, _BROKEN))
            return []
        return pieces
