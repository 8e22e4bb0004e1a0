"""Closed loop: so many clients, each of which asks again as soon as it has its answer."""

from __future__ import annotations

import time

from benchmarks.loadgen.connection import Connection
from benchmarks.loadgen.load import MAX_REQUESTS, Load, Traffic
from benchmarks.loadgen.record import Record


class ClosedLoop(Load):
    """Measures what a server can do. Says little about waiting: a slow server is asked less."""

    def __init__(self, traffic: Traffic, seconds: float, most: int) -> None:
        super().__init__(traffic)
        self._seconds = seconds
        self._most = most
        self._end = 0.0

    def _start(self, connections: list[Connection]) -> None:
        self._end = self.record.started_at + self._seconds
        for connection in connections:
            self._free(connection, time.monotonic())

    def _free(self, connection: Connection, now: float) -> None:
        if now < self._end and self.sent < self._most:
            self._send(connection, now)

    def _finished(self) -> bool:
        # Only asked when an answer came and its connection sent nothing more.
        return True

    def _stop(self) -> None:
        """No request is due in a closed loop but those in flight."""


async def closed_loop(
    traffic: Traffic, connections: int, seconds: float, most: int = MAX_REQUESTS
) -> Record:
    """Keep ``connections`` busy for ``seconds``, with at most ``most`` requests in all.

    Raises OSError or TimeoutError when the server takes no connection.
    """
    return await ClosedLoop(traffic, seconds, min(most, MAX_REQUESTS)).run(connections, seconds)
