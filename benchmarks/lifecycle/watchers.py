"""Clients that know which version answered them, and whether it could have."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

from benchmarks.lifecycle.export import version_of
from benchmarks.loadgen.connection import Connection
from benchmarks.loadgen.target import Target

X_VALUES = tuple(float(x) for x in range(1, 9))
CONNECT_SECONDS = 10.0


class Watchers:
    """Closed loops over keep-alive connections against a model of ``export_versions``.

    Every answer is checked: it is wholly of one version, and not of an older one than the answer
    before it on the same connection.
    """

    def __init__(self, target: Target) -> None:
        self.answered = 0
        self.faults: Counter[str] = Counter()
        self.by_version: Counter[int] = Counter()
        self.latencies: list[tuple[float, float]] = []
        """When each answer came and how long it took, in (monotonic) seconds."""
        self._target = target
        bodies = [json.dumps({"instances": [x]}).encode() for x in X_VALUES]
        self._requests = [target.request(body) for body in bodies]
        self._last: dict[Connection, int] = {}
        self._stopping = False
        self._idle = asyncio.Event()

    async def start(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            for _ in range(connections):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._on_answer, self._on_lost),
                    self._target.host,
                    self._target.port,
                )
                self._last[connection] = 0
                self._send(connection)

    async def stop(self) -> None:
        """Wait for the last answers and close."""
        self._stopping = True
        if any(connection.in_flight for connection in self._last):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._idle.wait()
        for connection in self._last:
            connection.close()

    def _send(self, connection: Connection) -> None:
        connection.sample = (connection.sample + 1) % len(self._requests)
        connection.since = time.monotonic()
        connection.send(self._requests[connection.sample])

    def _on_answer(self, connection: Connection, status: int, body: bytes) -> None:
        now = time.monotonic()
        self.answered += 1
        self.latencies.append((now, now - connection.since))
        if fault := self._fault(connection, status, body):
            self.faults[fault] += 1
        if not self._stopping:
            self._send(connection)
        elif not any(other.in_flight for other in self._last):
            self._idle.set()

    def _on_lost(self, connection: Connection, reason: str) -> None:
        self.faults[reason] += 1
        del self._last[connection]

    def _fault(self, connection: Connection, status: int, body: bytes) -> str:
        if status != 200:
            return f"status {status}: {body[:80].decode(errors='replace')}"
        answer = json.loads(body)["predictions"][0]
        version = version_of(X_VALUES[connection.sample], answer["first"], answer["second"])
        if version is None:
            return "an answer of two versions"
        self.by_version[version] += 1
        before, self._last[connection] = self._last[connection], version
        return "an older version after a newer one" if version < before else ""
