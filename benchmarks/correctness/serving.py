"""A server process under test, and one client of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.correctness.repository import ModelFolder, settings_of, write_model_config

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300.0
STOP_SECONDS = 60.0
_LISTENING = re.compile(r"REST on (http://\S+:\d+)")


class ServerFailed(Exception):
    """The server did not come up, or did not end well; the message has its last lines."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up. ``url`` is its root, without a slash."""

    url: str
    log: Path

    def records(self) -> list[dict[str, Any]]:
        """Its log so far."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"ts"')]

    def alone_because(self) -> dict[tuple[str, str], str]:
        """Why requests are not batched, by model and signature. Logged at level debug."""
        return {
            (record["model"], record["signature"]): record["reason"]
            for record in self.records()
            if record["event"] == "requests run one by one"
        }


@asynccontextmanager
async def running(
    models: Collection[ModelFolder], config: Path | None = None, flags: Iterable[str] = ()
) -> AsyncIterator[Server]:
    """Serve models, with the settings of a tensorgate.toml; stopped by SIGTERM in the end.

    Raises ServerFailed when nothing can be served, and when it does not stop with exit code 0.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        toml = config.read_text() if config else ""
        (folder / "tensorgate.toml").write_text(settings_of(models, toml))
        model_config = write_model_config(models, folder)
        command = (
            *(sys.executable, "-m", "gateway", "serve", f"--model_config_file={model_config}"),
            *("--host=127.0.0.1", "--port=0", "--rest_api_port=0"),
            *("--log_format=json", "--log_level=debug"),
            *flags,
        )
        log = folder / "stderr"
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": path},
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=stderr,
            )
        try:
            url = await _url_of(process, log)
            yield Server(url, log)
            process.terminate()
            await _expect_good_end(process, log)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _url_of(process: asyncio.subprocess.Process, log: Path) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        async for line in process.stdout:
            if found := _LISTENING.match(line.decode()):
                return found[1]
    raise ServerFailed(f"the server did not start:\n{_end_of(log)}")


async def _expect_good_end(process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(STOP_SECONDS):
        code = await process.wait()
    if code:
        raise ServerFailed(f"the server ended with {code}:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    seconds: float


class Client:
    """Asks a server over at most so many connections."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def predict(self, model: str, body: bytes) -> Answer:
        """Raises aiohttp.ClientError when no answer comes."""
        began = time.perf_counter()
        url = f"{self._url}/v1/models/{model}:predict"
        async with self._session.post(url, data=body) as response:
            content = await response.read()
        return Answer(response.status, content, time.perf_counter() - began)

    async def problems(self) -> dict[str, str]:
        """Why models are not served, by name."""
        async with self._session.get(self._url + "/readyz") as response:
            answer: dict[str, str] = (await response.json()).get("models", {})
            return answer

    async def batch_rows(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Rows and runs so far, by model and signature."""
        async with self._session.get(self._url + "/metrics") as response:
            text = await response.text()
        found: dict[tuple[str, str], list[float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples if family.name == "tensorgate_batch_rows" else ():
                place = {"sum": 0, "count": 1}.get(sample.name.rpartition("_")[2])
                if place is not None:
                    key = sample.labels["model"], sample.labels["signature"]
                    found.setdefault(key, [0.0, 0.0])[place] = sample.value
        return {key: (rows, runs) for key, (rows, runs) in found.items()}


@asynccontextmanager
async def client_of(url: str, connections: int) -> AsyncIterator[Client]:
    """A client; requests beyond ``connections`` wait for their turn."""
    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Client(url, session)
