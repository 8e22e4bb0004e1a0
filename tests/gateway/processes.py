"""Real server processes: start, talk to, signal, and look at how they end."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
"""TensorFlow's import included, on a slow machine."""

TENSORFLOW = "gateway"
FAKE = "tests.gateway.fake_server"

QUICK = {"GATEWAY_FILE_SYSTEM_POLL_WAIT_SECONDS": "0.05", "GATEWAY_PORT": "0"}
"""The folders are brand-new: do not wait a second to see whether they are still being written. And
no gRPC, whose port several servers at once would quarrel about."""

_CHOSEN_BY_THE_CALLER = re.compile(r"GATEWAY_\w+|MODEL_NAME|MODEL_BASE_PATH")


class ServerProcess:
    """A server that is up, or has ended. ``lines`` is what it printed so far, errors included."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = 0

    async def read_until(self, prefix: str) -> str:
        """Read what it prints up to the first line with ``prefix``. "" when it ends before."""
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            line = raw.decode().rstrip("\n")
            self.lines.append(line)
            if found := re.search(r"REST on http://[^ ,]*:(\d+)", line):
                self.port = int(found[1])
            if line.startswith(prefix):
                return line
        return ""

    async def finish(self) -> int:
        """Its exit code, once it has ended."""
        assert self.process.stdout is not None
        rest = await self.process.stdout.read()
        self.lines += rest.decode().splitlines()
        return await self.process.wait()


@asynccontextmanager
async def running(
    module: str,
    *arguments: str,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    wait_for: str = "curl ",
) -> AsyncIterator[ServerProcess]:
    """``python -m module ARGUMENTS``, once it has printed a line that starts with ``wait_for`` (""
    does not wait). Killed in the end if it still runs."""
    kept = {k: v for k, v in os.environ.items() if not _CHOSEN_BY_THE_CALLER.fullmatch(k)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        cwd=cwd,
        env={**kept, **QUICK, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdout=PIPE,
        stderr=STDOUT,
    )  # fmt: skip
    server = ServerProcess(process)
    try:
        if wait_for:
            async with asyncio.timeout(START_SECONDS):
                assert await server.read_until(wait_for), server.lines
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await server.finish()


async def run_to_end(
    module: str, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Exit code and printed lines of a server that is not expected to stay up."""
    options = {"cwd": cwd, "environment": environment, "wait_for": ""}
    async with (
        running(module, *arguments, **options) as server,  # type: ignore[arg-type]
        asyncio.timeout(START_SECONDS),
    ):
        return await server.finish(), server.lines


async def fetch(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a GET."""
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.read()
