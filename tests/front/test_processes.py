"""A supervisor, fronts and an engine as processes: killed, signalled, and looked at."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
import trustme

from tests.gateway.certificates import Files
from tests.gateway.keepalive import KeepAliveClient, Ledger, predict_request
from tests.gateway.processes import FAKE, TENSORFLOW, ServerProcess, fetch, run_to_end, running
from tests.gateway.serving import folders, until
from tests.gateway.test_shutdown import HANGING, connected, end_of, stop_under_load

REQUEST = predict_request("m", b'{"instances":[1,2]}')
ANSWER = {"predictions": [2.0, 4.0]}
CLIENTS = 16


@asynccontextmanager
async def fronts(
    root: Path, model: str, *flags: str, workers: int = 2, wait_for: str = "curl "
) -> AsyncIterator[ServerProcess]:
    """A server with fronts that serves ``model``; no process of it may be left."""
    folders(root, f"{model}/1")
    common = ("--model_name=m", f"--model_base_path={model}", "--rest_api_port=0")
    arguments = ("serve", *common, "--warmup=false", "--batching=on", f"--workers={workers}")
    async with running(FAKE, *arguments, *flags, cwd=root, wait_for=wait_for) as server:
        family = children(server.process.pid)
        yield server
        if server.process.returncode is None:
            family += children(server.process.pid)
            server.process.kill()
            await server.process.wait()
    await none_left(family)


def children(pid: int) -> list[int]:
    with suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(c) for task in tasks for c in (task / "children").read_text().split()]
    return []


def command(pid: int) -> str:
    """Empty for one that has ended, whether anybody has noticed or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def the(kind: str, server: ServerProcess) -> list[int]:
    return [pid for pid in children(server.process.pid) if kind in command(pid)]


async def none_left(family: list[int]) -> None:
    async with asyncio.timeout(5):
        while any(map(command, family)):
            await asyncio.sleep(0.01)


async def status_of(port: int) -> tuple[int, str | None]:
    """Of a predict request on a connection of its own: status and Retry-After."""
    url = f"http://127.0.0.1:{port}/v1/models/m:predict"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=b'{"instances":[1]}') as response,
    ):
        await response.read()
        return response.status, response.headers.get("Retry-After")


async def until_it_answers(port: int) -> None:
    async with asyncio.timeout(10):
        while (await status_of(port))[0] != 200:
            await asyncio.sleep(0.01)


async def test_a_stop_under_load(tmp_path: Path) -> None:
    async with fronts(tmp_path, "busy") as server:
        await stop_under_load(server, signal.SIGTERM, REQUEST, ANSWER)


async def test_kills_under_load(tmp_path: Path) -> None:
    """A front, then the engine, then the supervisor."""
    async with fronts(tmp_path, "busy") as server:
        ledger = Ledger()
        client = KeepAliveClient(server.port, REQUEST, ANSWER, ledger)
        load = [asyncio.create_task(client.run()) for _ in range(CLIENTS)]
        try:
            await until(lambda: ledger.answered > 50)
            await kill_a_front(server, ledger)
            await kill_the_engine(server, ledger)
        finally:
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
        await kill_the_supervisor(server)


async def kill_a_front(server: ServerProcess, ledger: Ledger) -> None:
    """Its own connections are cut, the others notice nothing; its successor takes its place."""
    engine = the("engine", server)
    first, second = the("front", server)
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(set(the("front", server)) - {first, second}) == 1)
    before = ledger.answered
    await until(lambda: ledger.answered > before + 200)
    assert the("engine", server) == engine
    assert (ledger.wrong, ledger.refused) == (0, 0)
    # What the front had at the time, and what the kernel had given it.
    assert 0 < ledger.cut + ledger.lost + ledger.unread <= CLIENTS


async def kill_the_engine(server: ServerProcess, ledger: Ledger) -> None:
    """Every request is answered all the same, on the same connections."""
    ledger.cut = ledger.lost = ledger.unread = 0
    family = the("front", server)
    [engine] = the("engine", server)
    os.kill(engine, signal.SIGKILL)
    await until(lambda: not command(engine))
    status, retry_after = await status_of(server.port)
    assert (status, retry_after is not None) == (503, True)
    assert (await fetch(server.port, "/livez"))[0] == 503
    await until_it_answers(server.port)
    assert ledger.wrong > 0, "refused"
    assert (ledger.cut, ledger.lost, ledger.unread, ledger.refused) == (0, 0, 0, 0)
    assert the("front", server) == family
    requests = (await fetch(server.port, "/metrics"))[1]
    assert b'tensorgate_requests_total{api="predict",code="200",model="m"}' in requests


async def kill_the_supervisor(server: ServerProcess) -> None:
    """Nobody is left, not even one that cannot notice by itself."""
    family = children(server.process.pid)
    assert len(family) == 3
    os.kill(the("front", server)[0], signal.SIGSTOP)
    began = time.monotonic()
    server.process.kill()
    await none_left(family)
    assert time.monotonic() - began < 2


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with (
        fronts(tmp_path, "hanging", "--drain_timeout_s=60") as server,
        connected(server.port, HANGING),
    ):
        family = children(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 1) == (128 + signal.SIGTERM, True)
        await none_left(family)


async def test_what_does_not_keep_it(tmp_path: Path) -> None:
    """A run that hangs, whose client is told; idle connections; requests that do not come."""
    page = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    async with (
        fronts(tmp_path, "hanging", "--drain_timeout_s=0.5") as server,
        connected(server.port, HANGING) as reader,
        connected(server.port, b""),
        connected(server.port, page),
        connected(server.port, page[:20]),
        connected(server.port, REQUEST[:-5]),
    ):
        code, seconds = await end_of(server, signal.SIGTERM)
        assert (code, seconds < 5) == (0, True)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503")


async def test_a_signal_before_anything_is_there(tmp_path: Path) -> None:
    async with fronts(tmp_path, "unloadable", wait_for="") as server:
        await until(lambda: len(children(server.process.pid)) == 3)
        server.process.terminate()
        async with asyncio.timeout(8):
            assert await server.finish() == 0, server.lines


@pytest.mark.parametrize(
    ("model", "flags", "code", "line"),
    [
        ("broken", (), 4, "tensorgate: model default: its saved_model.pb is damaged"),
        ("double", ("--devices=gpu:9",), 3, "gpu:9 not found"),
    ],
)
async def test_a_server_that_cannot_serve(
    tmp_path: Path, model: str, flags: tuple[str, ...], code: int, line: str
) -> None:
    folders(tmp_path, f"{model}/1")
    common = (f"--model_base_path={model}", "--rest_api_port=0", "--workers=1")
    found, lines = await run_to_end(FAKE, "serve", *common, *flags, cwd=tmp_path)
    assert found == code, lines
    assert line in lines[-1]
    assert not any("Traceback" in line for line in lines)


async def test_reloading_and_a_port_that_is_taken(tmp_path: Path) -> None:
    """Another such server does not get to share the port."""
    folders(tmp_path, "double/1")
    models = '[models.{0}]\nbase_path = "double"\n'
    (tmp_path / "tensorgate.toml").write_text(models.format("m"))
    flags = ("serve", "--rest_api_port=0", "--workers=1", "--warmup=false")
    async with running(FAKE, *flags, cwd=tmp_path) as server:
        (tmp_path / "tensorgate.toml").write_text(models.format("other"))
        server.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(5):
            while (await fetch(server.port, "/v1/models/other"))[0] != 200:
                await asyncio.sleep(0.01)
        assert (await fetch(server.port, "/v1/models/m"))[0] == 404
        taken = ("--model_base_path=double", f"--rest_api_port={server.port}", "--workers=2")
        found, lines = await run_to_end(FAKE, "serve", *taken, cwd=tmp_path)
        assert (found, len(lines)) == (5, 1)
        assert lines[0].endswith("is in use")


async def test_tls_ends_in_the_fronts(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = Files(tmp_path, authority)
    flags = [f"--ssl_certificate_file={files.certificate}", f"--ssl_key_file={files.key}"]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with fronts(tmp_path, "double", *flags, wait_for="Serving") as server:
        await server.read_until("curl ")
        port = next(line.rsplit(":", 1)[1] for line in server.lines if "REST on https" in line)
        base = f"https://localhost:{port.partition('/')[0]}/v1/models/m"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            async with session.post(f"{base}:predict", data=b'{"instances":[1,2]}') as answer:
                assert await answer.json() == ANSWER
            async with session.get(base) as answer:
                assert answer.status == 200


@pytest.mark.tf
@pytest.mark.slow
async def test_tensorflow_behind_fronts(tmp_path: Path) -> None:
    request = predict_request("half_plus_two", b'{"inputs":{"x":[1,2]}}')
    flags = ("--demo_dir=.", "--rest_api_port=0", "--workers=2")
    async with running(TENSORFLOW, "demo", *flags, cwd=tmp_path) as server:
        family = children(server.process.pid)
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "tensorflow" not in maps, "the demo's model is made before it begins again"
        await stop_under_load(server, signal.SIGTERM, request, {"outputs": [2.5, 3.0]})
        await none_left(family)
