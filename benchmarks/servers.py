"""The server processes that benchmarks start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.loadgen.server import HOST, Server

ROOT = Path(__file__).resolve().parents[1]
DEMO_PATH = "/v1/models/half_plus_two:predict"
_DEMO_MODELS = ROOT / "demo-models"


def demo_server(
    name: str, demo_dir: Path | None = None, checkout: Path = ROOT, more: Sequence[str] = ()
) -> Server:
    """``tensorgate demo`` of a checkout, with the environment's settings and ``more`` flags."""
    kept = (demo_dir or _DEMO_MODELS).resolve()

    def command(port: int) -> Sequence[str]:
        flags = (f"--host={HOST}", "--port=0", f"--rest_api_port={port}", f"--demo_dir={kept}")
        return (sys.executable, "-m", "gateway", "demo", *flags, *more)

    return Server(name, command, cwd=checkout)


def bare_server() -> Server:
    """``benchmarks/bare_app.py``."""

    def command(port: int) -> Sequence[str]:
        return (sys.executable, "-m", "benchmarks.bare_app", f"--port={port}")

    return Server("bare", command, cwd=ROOT)
