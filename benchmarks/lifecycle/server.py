"""The server under test, asked for its states and its memory."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.loadgen.server import HOST, Server

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
MOVING, STEADY = "moving", "steady"
"""The model whose versions change, and one that is only looked at meanwhile."""

_CONFIG = """model_config_list {{
  config {{ name: "{moving}" base_path: "{folder}/{moving}" model_platform: "tensorflow" }}
  config {{ name: "{steady}" base_path: "{folder}/{steady}" model_platform: "tensorflow" }}
}}
"""


def lifecycle_server(folder: Path, poll_seconds: float, flags: Sequence[str] = ()) -> Server:
    """Serve the two models of ``folder``."""
    config = folder / "models.config"
    config.write_text(_CONFIG.format(moving=MOVING, steady=STEADY, folder=folder))

    def command(port: int) -> Sequence[str]:
        return (
            *(sys.executable, "-m", "gateway", "serve", f"--model_config_file={config}"),
            *(f"--host={HOST}", "--port=0", f"--rest_api_port={port}", "--config="),
            *(f"--file_system_poll_wait_seconds={poll_seconds}", *flags),
        )

    return Server("tensorgate", command, cwd=ROOT)


def model_url(server: Server, model: str) -> str:
    return f"{server.url}/v1/models/{model}:predict"


def states(server: Server, model: str) -> dict[int, str]:
    """States by version."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        connection.request("GET", f"/v1/models/{model}")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    listed = answer.get("model_version_status", [])
    return {int(entry["version"]): entry["state"] for entry in listed}


async def until(server: Server, wanted: Callable[[dict[int, str]], bool]) -> float:
    """Wait until the states of the moving model are as wanted; the seconds it took.

    Raises TimeoutError.
    """
    started = time.monotonic()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not wanted(await asyncio.to_thread(states, server, MOVING)):
            await asyncio.sleep(0.02)
    return time.monotonic() - started


def resident_mebibytes(pid: int) -> float:
    """Resident memory of a process (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
