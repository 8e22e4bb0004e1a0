"""The server processes that benchmarks start."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.loadgen.cpu import placed_on
from benchmarks.loadgen.server import HOST, Server
from benchmarks.zoo.catalogue import Exported

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


def gateway_server(
    name: str,
    models: Sequence[Exported],
    folder: Path,
    more: Sequence[str] = (),
    checkout: Path = ROOT,
) -> Server:
    """``tensorgate serve`` of exported models, each by its name, with ``more`` flags.

    Its configuration is written to ``folder``; the environment's settings hold as well.
    """
    config = write_config(models, folder)
    return Server(name, lambda port: gateway_command(port, config, more), cwd=checkout)


def gateway_command(port: int, config: Path, more: Sequence[str] = ()) -> Sequence[str]:
    """``tensorgate serve`` of a configuration file."""
    flags = (f"--host={HOST}", f"--rest_api_port={port}", f"--config={config}")
    return (sys.executable, "-m", "gateway", "serve", *flags, *more)


def write_config(models: Sequence[Exported], folder: Path) -> Path:
    """The configuration file that serves the models."""
    config = folder / "tensorgate.toml"
    config.write_text("\n".join(_section(exported) for exported in models))
    return config


def _section(exported: Exported) -> str:
    model = exported.model
    lines = [f"[models.{model.name}]", f"base_path = {json.dumps(str(exported.base_path))}"]
    if model.variable_length:
        lines += [f"[models.{model.name}.padding.{model.input}]", "axes = [1]"]
    return "\n".join((*lines, ""))


def bare_server(row: Any = None) -> Server:
    """``benchmarks/bare_app.py``: the demo's answers, or ``row`` for every row asked."""
    more = () if row is None else (f"--row={json.dumps(row)}",)

    def command(port: int) -> Sequence[str]:
        return (sys.executable, "-m", "benchmarks.bare_app", f"--port={port}", *more)

    return Server("bare", command, cwd=ROOT)


@contextmanager
def running_on(cores: frozenset[int], server: Server) -> Iterator[Server]:
    """Start a server on the given cores (empty: any); the caller stays where it is."""
    with placed_on(cores):
        server.__enter__()
    try:
        yield server
    finally:
        server.__exit__(*sys.exc_info())
