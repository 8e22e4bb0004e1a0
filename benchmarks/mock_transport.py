"""Connections without sockets: what a protocol costs when no byte moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Connect = Callable[[], asyncio.BaseProtocol]


class WrongAnswer(Exception):
    """A server answered something else: its time means nothing."""


class Load:
    """A closed loop of clients over one server's protocols."""

    def __init__(self, connect: Connect, request: bytes, answer_end: bytes, clients: int) -> None:
        """``answer_end`` is what every answer must end with."""
        self.request = request
        self.answer_end = answer_end
        self._loop = asyncio.get_running_loop()
        self._left = 0
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._transports = [MockTransport(self) for _ in range(clients)]
        for transport in self._transports:
            protocol = connect()
            transport.set_protocol(protocol)
            protocol.connection_made(transport)

    async def run(self, requests: int) -> None:
        """Send so many, as many at a time as there are clients. Raises WrongAnswer."""
        self._left = requests
        self._done = self._loop.create_future()
        for transport in self._transports[:requests]:
            self._loop.call_soon(transport.receive)
        await self._done

    def close(self) -> None:
        """The clients leave."""
        for transport in self._transports:
            transport.get_protocol().connection_lost(None)

    def answered(self, transport: MockTransport, answer: bytes) -> None:
        """The next request of the client follows in the next turn of the loop, as from a socket."""
        if not answer.endswith(self.answer_end):
            if not self._done.done():
                self._done.set_exception(WrongAnswer(repr(answer)))
            return
        self._left -= 1
        if self._left >= len(self._transports):
            self._loop.call_soon(transport.receive)
        elif self._left == 0 and not self._done.done():
            self._done.set_result(None)


class MockTransport(asyncio.Transport):
    """One client's connection. Each write must be a whole answer."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self._protocol: Any = None

    def receive(self) -> None:
        """The client's request arrives."""
        self._protocol.data_received(self._load.request)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._load.answered(self, bytes(data))

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
        return False

    def pause_reading(self) -> None:
        """No client sends ahead of its answer."""

    def resume_reading(self) -> None:
        """See ``pause_reading``."""

    def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        """Nothing is open."""
