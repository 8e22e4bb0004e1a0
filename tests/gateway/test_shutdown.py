"""SIGTERM and SIGINT: everything that was asked is answered, and the end comes in time."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.gateway.fake_server import HANGS_FROM
from tests.gateway.keepalive import KeepAliveClient, Ledger, predict_request
from tests.gateway.processes import FAKE, TENSORFLOW, ServerProcess, fetch, running
from tests.gateway.serving import folders, until

CLIENTS = 32
PATIENCE_SECONDS = 8.0
REQUEST = predict_request("m", b'{"instances":[1,2]}')
HANGING = predict_request("m", b'{"instances":[%d]}' % HANGS_FROM)
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@asynccontextmanager
async def fake_server(
    root: Path, model: str, *flags: str, wait_for: str = "curl "
) -> AsyncIterator[ServerProcess]:
    folders(root, f"{model}/1")
    # Not warmed up: some of these models never answer.
    common = ("--model_name=m", f"--model_base_path={model}", "--rest_api_port=0")
    arguments = ("serve", *common, "--warmup=false", "--batching=on", *flags)
    async with running(FAKE, *arguments, cwd=root, wait_for=wait_for) as server:
        yield server


async def end_of(server: ServerProcess, *numbers: signal.Signals) -> tuple[int, float]:
    """Exit code, and seconds since the signals."""
    began = time.monotonic()
    for number in numbers:
        server.process.send_signal(number)
    async with asyncio.timeout(PATIENCE_SECONDS):
        code = await server.finish()
    return code, time.monotonic() - began


async def stop_under_load(
    server: ServerProcess, number: signal.Signals, request: bytes, answer: object
) -> None:
    ledger = Ledger()
    client = KeepAliveClient(server.port, request, answer, ledger)
    load = asyncio.gather(*[client.run() for _ in range(CLIENTS)])
    await until(lambda: ledger.answered > 5 * CLIENTS)
    before = ledger.answered
    code, seconds = await end_of(server, number)
    await load
    assert code == 0, server.lines
    assert seconds < 5
    assert (ledger.wrong, ledger.cut, ledger.lost) == (0, 0, 0)
    assert ledger.refused == CLIENTS
    assert ledger.answered >= before


@SIGNALS
async def test_under_load(tmp_path: Path, number: signal.Signals) -> None:
    async with fake_server(tmp_path, "busy") as server:
        await stop_under_load(server, number, REQUEST, {"predictions": [2.0, 4.0]})


@pytest.mark.tf
async def test_tensorflow_under_load(tmp_path: Path) -> None:
    request = predict_request("half_plus_two", b'{"inputs":{"x":[1,2]}}')
    flags = ("--demo_dir=.", "--rest_api_port=0")
    async with running(TENSORFLOW, "demo", *flags, cwd=tmp_path) as server:
        await stop_under_load(server, signal.SIGTERM, request, {"outputs": [2.5, 3.0]})


@asynccontextmanager
async def connected(port: int, data: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which the server has received ``data``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        # What came earlier has been read by the time that this is answered.
        assert (await fetch(port, "/livez"))[0] == 200
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_idle_connections_do_not_keep_it(tmp_path: Path) -> None:
    async with fake_server(tmp_path, "double") as server, connected(server.port, b""):
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 2) == (0, True)


async def test_a_run_that_hangs_is_not_waited_for_beyond_the_drain_timeout(tmp_path: Path) -> None:
    async with (
        fake_server(tmp_path, "hanging", "--drain_timeout_s=0.5") as server,
        connected(server.port, HANGING) as reader,
    ):
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 4) == (0, True)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503")
        assert answer.endswith(b"}")


@pytest.mark.parametrize(
    "data", [REQUEST[:-5], REQUEST[:40]], ids=["half of the body", "half of the head"]
)
async def test_an_unfinished_request_does_not_keep_it(tmp_path: Path, data: bytes) -> None:
    async with (
        fake_server(tmp_path, "double", "--drain_timeout_s=1") as server,
        connected(server.port, data),
    ):
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 4) == (0, True)


@asynccontextmanager
async def unread_answer(port: int) -> AsyncIterator[tuple[socket.socket, int]]:
    """A connection with an answer of 30 MB that has begun, and how many bytes it still has."""
    request = predict_request("m", b'{"instances":[%s]}' % b",".join([b"1.2345678"] * 30))
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", port))
        reader.sendall(request)
        reader.setblocking(False)
        received = await asyncio.get_running_loop().sock_recv(reader, 1000)
        assert received.startswith(b"HTTP/1.1 200")
        head, _, body = received.partition(b"\r\n\r\n")
        found = re.search(rb"Content-Length: (\d+)", head)
        assert found
        yield reader, int(found[1]) - len(body)


async def test_a_client_that_does_not_read_does_not_keep_it(tmp_path: Path) -> None:
    async with (
        fake_server(tmp_path, "wide", "--drain_timeout_s=1") as server,
        unread_answer(server.port),
    ):
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 4) == (0, True)


async def test_a_client_that_reads_slowly_gets_its_whole_answer(tmp_path: Path) -> None:
    async with (
        fake_server(tmp_path, "wide", "--drain_timeout_s=20") as server,
        unread_answer(server.port) as (reader, missing),
    ):
        server.process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                await server.finish()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while missing and (piece := await loop.sock_recv(reader, 2**20)):
                missing -= len(piece)
        assert missing == 0
        assert await server.finish() == 0


@SIGNALS
async def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: signal.Signals) -> None:
    async with (
        fake_server(tmp_path, "hanging", "--drain_timeout_s=60") as server,
        connected(server.port, HANGING),
    ):
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await is_listening(server.port):
                await asyncio.sleep(0.01)
        code, seconds = await end_of(server, number)
        assert (code, seconds < 1) == (128 + number, True)


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return True


async def test_while_a_model_loads(tmp_path: Path) -> None:
    async with fake_server(tmp_path, "unloadable", wait_for="Tensorgate") as server:
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 3) == (0, True)


async def test_while_the_command_to_paste_is_tried(tmp_path: Path) -> None:
    """That is done before it is printed, and a model that hangs keeps it for seconds."""
    flags = ("--drain_timeout_s=1",)
    async with fake_server(tmp_path, "stuck", *flags, wait_for="REST on") as server:
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 4) == (0, True)
