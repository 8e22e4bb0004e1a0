"""What closed and open loops share: the connections, the run's end, the record."""

from __future__ import annotations

import asyncio
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from benchmarks.loadgen.answers import AnswerCheck, Read, Sample
from benchmarks.loadgen.connection import Connection
from benchmarks.loadgen.record import Record
from benchmarks.loadgen.target import Target

MAX_REQUESTS = 1_000_000
"""Bound on the requests of one run, whatever its time and rate."""
GRACE_SECONDS = 10.0
"""How long a run waits for the answers that are missing at its end."""
CONNECT_SECONDS = 10.0
REFUSALS = (429, 503)


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked of a server, and how its answers are read."""

    path: str
    samples: Sequence[Sample]
    read: Read = json.loads

    def always(self, value: Any) -> Requests:
        """The same requests to a server that gives all of them one answer."""
        samples = [replace(sample, expected=value) for sample in self.samples]
        return replace(self, samples=samples)


class Traffic:
    """Samples for one target, sent in turn, and the check of their answers.

    Keep it over the runs against one server: the check remembers what it found right.
    """

    def __init__(
        self,
        target: Target,
        samples: Sequence[Sample],
        *,
        every: int = 1,
        cpu_seconds: Callable[[], float] = lambda: math.nan,
        read: Read = json.loads,
        may_refuse: bool = False,
    ) -> None:
        self.target = target
        self.may_refuse = may_refuse
        """Whether 429 and 503 are counted as refusals and not as faults."""
        self.cpu_seconds = cpu_seconds
        """The server's processor time so far."""
        self.check = AnswerCheck(samples, every=every, read=read)
        self.requests = [target.request(sample.body, sample.headers) for sample in samples]


class Load(ABC):
    """One run of load over keep-alive connections. Use it once."""

    def __init__(self, traffic: Traffic) -> None:
        self.record = Record(traffic.check)
        self.sent = 0
        self._traffic = traffic
        self._requests = traffic.requests
        self._connections: set[Connection] = set()
        self._in_flight = 0
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, connections: int, longest: float) -> Record:
        """Connect, send until there is nothing left to send, and wait for the answers.

        At most ``longest`` seconds and the grace; what is unanswered then is a fault. Raises
        OSError or TimeoutError when the server takes no connection.
        """
        try:
            await self._connect(connections)
            server_cpu, client_cpu = self._traffic.cpu_seconds(), time.process_time()
            await self._until_over(longest)
            self.record.server_cpu_seconds = self._traffic.cpu_seconds() - server_cpu
            self.record.client_cpu_seconds = time.process_time() - client_cpu
        finally:
            for connection in self._connections:
                connection.close()
        return self.record

    async def _until_over(self, longest: float) -> None:
        self.record.started_at = time.monotonic()
        self._start(list(self._connections))
        try:
            async with asyncio.timeout(longest + GRACE_SECONDS):
                await self._over
        except TimeoutError:
            self._stop()
            self.record.fault("no answer at the end of the run", self._in_flight)

    async def _connect(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        target = self._traffic.target
        make = partial(Connection, self._answered, self._lost)
        async with asyncio.timeout(CONNECT_SECONDS):
            for _ in range(connections):
                _, connection = await loop.create_connection(make, target.host, target.port)
                self._connections.add(connection)

    @abstractmethod
    def _start(self, connections: list[Connection]) -> None:
        """Send the first requests."""

    @abstractmethod
    def _free(self, connection: Connection, now: float) -> None:
        """A connection can take the next request."""

    @abstractmethod
    def _finished(self) -> bool:
        """Whether nothing is left to send."""

    @abstractmethod
    def _stop(self) -> None:
        """The run is given up: requests that should have been sent and were not are faults."""

    def _send(self, connection: Connection, since: float) -> None:
        connection.since = since
        connection.sample = self.sent % len(self._requests)
        self.sent += 1
        self._in_flight += 1
        connection.send(self._requests[connection.sample])

    def _answered(self, connection: Connection, status: int, body: bytes) -> None:
        now = time.monotonic()
        self._in_flight -= 1
        if status in REFUSALS and self._traffic.may_refuse:
            self.record.refusal(connection.head, now)
        else:
            self.record.answer(connection.sample, status, body, connection.since, now)
        self._free(connection, now)
        self._end_if_over()

    def _lost(self, connection: Connection, reason: str) -> None:
        self._connections.discard(connection)
        self._in_flight -= connection.in_flight
        self.record.fault(reason)
        if not self._connections:
            self._stop()
        self._end_if_over()

    def _end_if_over(self) -> None:
        nothing_to_come = not self._in_flight and (self._finished() or not self._connections)
        if nothing_to_come and not self._over.done():
            self._over.set_result(None)
