"""Clients that keep their connections and count what becomes of every request."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass


def predict_request(model: str, body: bytes) -> bytes:
    """A whole request."""
    head = f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


@dataclass(slots=True)
class Ledger:
    """What became of the requests of all clients."""

    answered: int = 0
    wrong: int = 0
    """Answered with something else than what was right."""
    cut: int = 0
    """The connection ended inside an answer."""
    lost: int = 0
    """The connection was kept open by the server, but the next request on it got no answer."""
    unread: int = 0
    """A new connection was closed without an answer: its request had not been read."""
    refused: int = 0
    """No connection: the end of each client."""


class KeepAliveClient:
    """Asks without pause until the server takes no more connections."""

    def __init__(self, port: int, request: bytes, answer: object, ledger: Ledger) -> None:
        self._port = port
        self._request = request
        self._answer = answer
        self._ledger = ledger

    async def run(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                self._ledger.refused += 1
                return
            try:
                await self._use(reader, writer)
            finally:
                writer.close()

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        used = False
        while True:
            try:
                writer.write(self._request)
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                self._count_silence(used, cut=bool(error.partial))
                return
            except ConnectionError:
                self._count_silence(used, cut=False)
                return
            if not await self._read_body(head, reader):
                return
            used = True

    async def _read_body(self, head: bytes, reader: asyncio.StreamReader) -> bool:
        """Whether the connection may be used again."""
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
        try:
            body = await reader.readexactly(int(fields[b"Content-Length"]))
        except (asyncio.IncompleteReadError, ConnectionError):
            self._ledger.cut += 1
            return False
        self._ledger.answered += 1
        if not head.startswith(b"HTTP/1.1 200 ") or json.loads(body) != self._answer:
            self._ledger.wrong += 1
        return fields.get(b"Connection") != b"close"

    def _count_silence(self, used: bool, *, cut: bool) -> None:
        if cut:
            self._ledger.cut += 1
        elif used:
            self._ledger.lost += 1
        else:
            self._ledger.unread += 1
