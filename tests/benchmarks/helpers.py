"""Servers and commands for the tests of the benchmarks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from benchmarks.loadgen.server import HOST, Server
from benchmarks.loadgen.target import Target
from benchmarks.servers import ROOT

Answer = Callable[[int, bytes], Awaitable[bytes]]
"""What to send back for the n-th request of a server and its body: a whole HTTP answer."""


def http_answer(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncIterator[Target]:
    """A server in this process. An empty answer closes the connection."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
                number, requests = requests, requests + 1
                reply = await answer(number, await reader.readexactly(length))
                if not reply:
                    break
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield Target(HOST, server.sockets[0].getsockname()[1], "/v1/models/m:predict")


def faulty_server(right: int, status: int = 200) -> Server:
    """See faulty_server.py."""

    def command(port: int) -> list[str]:
        flags = [f"--port={port}", f"--right={right}", f"--status={status}"]
        return [sys.executable, "-m", "tests.benchmarks.faulty_server", *flags]

    return Server("faulty", command, cwd=ROOT)


def run_module(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m module arguments`` in the repository's root, its output captured."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
