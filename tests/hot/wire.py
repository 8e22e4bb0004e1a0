"""A connection without a socket: every segment and every pause is the test's."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from gateway.http.listener import ConnectionServer
from tests.gateway.serving import PATIENCE_SECONDS
from tests.hot.requests import Answer, split_answers


class Wire(asyncio.Transport):
    """The client's end and the server's transport in one."""

    def __init__(self, server: ConnectionServer) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol: Any = server()
        self._arrived = b""
        self._waiting: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._reading = True
        self._closing = False
        self.closed = False
        """The server has closed it, or the client has left."""
        self.aborted = False
        self._protocol.connection_made(self)

    # The client's end.

    def send(self, *segments: bytes) -> None:
        """Each segment reaches the server by itself, as soon as that reads."""
        self._waiting.extend(segments)
        self._deliver()

    async def answers(self, number: int) -> list[Answer]:
        """That many answers; what comes behind them is left."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len((found := split_answers(self._arrived))[0]) < number:
                assert not self.closed, f"closed after {self._arrived!r}"
                self._changed.clear()
                await self._changed.wait()
        assert len(found[0]) == number, found
        self._arrived = found[1]
        return found[0]

    async def answer(self) -> Answer:
        return (await self.answers(1))[0]

    async def until_closed(self) -> bytes:
        """What arrives until the server closes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.closed:
                self._changed.clear()
                await self._changed.wait()
        return self._arrived

    def leave(self) -> None:
        """The client is gone."""
        if not self.closed:
            self._lost()

    def stop_reading(self) -> None:
        """The client reads no more: the server's buffer is full."""
        self._protocol.pause_writing()

    def read_again(self) -> None:
        self._protocol.resume_writing()

    @property
    def held_back(self) -> int:
        """Bytes that the server does not read."""
        return sum(map(len, self._waiting))

    @property
    def arrived(self) -> bytes:
        return self._arrived

    # The server's transport.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self._arrived += bytes(data)
        self._changed.set()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._deliver)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._lost)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def _deliver(self) -> None:
        while self._waiting and self._reading and not self._closing:
            self._protocol.data_received(self._waiting.popleft())

    def _lost(self) -> None:
        if not self.closed:
            self.closed = self._closing = True
            self._protocol.connection_lost(None)
            self._changed.set()
