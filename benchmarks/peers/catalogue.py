"""Who takes part, how each is installed and started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loadgen.load import Requests
from benchmarks.loadgen.server import HOST, Server, free_port
from benchmarks.peers.adapters.saved_model import MAX_BATCH_SIZE, MAX_WAIT_SECONDS
from benchmarks.peers.readiness import answers_sample
from benchmarks.peers.wires import PREDICTIONS, Wire, batchable, inference_protocol, instances
from benchmarks.servers import ROOT, bare_server, gateway_server
from benchmarks.zoo.catalogue import Exported

ENVIRONMENTS = Path(os.environ.get("PEERS_DIR", ROOT / ".venv-peers"))
"""Where ``benchmarks/peers/install`` makes one environment a peer."""
_ADAPTERS = "benchmarks.peers.adapters"


@dataclass(frozen=True, slots=True)
class Peer:
    """A way to serve a SavedModel."""

    name: str
    wire: Wire
    start: Callable[[Peer, Exported, Path], Server]
    """A server of the model, not yet running; the folder is for its files."""
    package: str = ""
    """What it is installed as, in an environment of its own; empty: with the gateway."""
    constant: bool = False
    """It answers every question with the first one's answer."""

    def requests(self, exported: Exported) -> Requests:
        """The model's questions as this peer wants them, with its right answers."""
        requests = self.wire.requests(exported)
        return requests.always(exported.questions[0].answer) if self.constant else requests

    @property
    def environment(self) -> Path:
        return ENVIRONMENTS / self.name

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python" if self.package else Path(sys.executable)

    @property
    def installed(self) -> bool:
        return self.python.is_file()

    def version(self) -> str:
        """Of the installed package; empty for what is part of this checkout."""
        if not self.package:
            return ""
        script = f"import importlib.metadata as m; print(m.version({self.package!r}))"
        done = subprocess.run(
            (self.python, "-c", script), check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version()}".strip()


def _start_gateway(peer: Peer, exported: Exported, folder: Path) -> Server:
    return gateway_server(peer.name, [exported], folder)


def _start_bare(peer: Peer, exported: Exported, folder: Path) -> Server:
    return bare_server(exported.questions[0].answer)


def _adapter(*arguments: str) -> Callable[[Peer, Exported, Path], Server]:
    """A server that is a module of the adapters, with more of a command line if it needs one."""

    def start(peer: Peer, exported: Exported, folder: Path) -> Server:
        return _peer_server(peer, exported, folder, lambda _: ("-m", *arguments))

    return start


def _start_mosec(peer: Peer, exported: Exported, folder: Path) -> Server:
    def arguments(port: int) -> Sequence[str]:
        flags = (f"--address={HOST}", f"--port={port}", "--timeout=60000", "--log-level=error")
        return ("-m", f"{_ADAPTERS}.mosec_app", *flags)

    return _peer_server(peer, exported, folder, arguments)


def _start_bentoml(peer: Peer, exported: Exported, folder: Path) -> Server:
    def arguments(port: int) -> Sequence[str]:
        flags = (f"--host={HOST}", f"--port={port}", "--quiet")
        return ("-m", "bentoml", "serve", f"{_ADAPTERS}.bentoml_app:Predict", *flags)

    return _peer_server(peer, exported, folder, arguments)


def _start_mlserver(peer: Peer, exported: Exported, folder: Path) -> Server:
    model: dict[str, Any] = {
        "name": "model",
        "implementation": f"{_ADAPTERS}.mlserver_runtime.Predict",
    }
    # It merges requests of different lengths into nonsense: such a model goes without batching.
    if not exported.model.variable_length:
        model |= {"max_batch_size": MAX_BATCH_SIZE, "max_batch_time": MAX_WAIT_SECONDS}
    (folder / "model-settings.json").write_text(json.dumps(model))

    def arguments(port: int) -> Sequence[str]:
        settings = {
            "host": HOST,
            "http_port": port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "metrics_endpoint": None,
            "parallel_workers": 0,
            "gzip_enabled": False,
            "debug": False,
            "access_log": False,
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        return ("-m", "mlserver.cli.main", "start", str(folder))

    return _peer_server(peer, exported, folder, arguments)


def _peer_server(
    peer: Peer, exported: Exported, folder: Path, arguments: Callable[[int], Sequence[str]]
) -> Server:
    variables = {
        "SAVED_MODEL": str(exported.saved_model),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{peer.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Neither usage reports nor update checks go out while times are taken.
        "BENTOML_DO_NOT_TRACK": "True",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    }

    def command(port: int) -> Sequence[str]:
        assignments = [f"{name}={value}" for name, value in (variables | {"PORT": port}).items()]
        return ("env", *assignments, str(peer.python), *arguments(port))

    ready = answers_sample(peer.wire, exported)
    return Server(peer.name, command, cwd=folder, ready=ready)


_PREDICT = instances("/predict")

BARE = Peer("bare aiohttp", PREDICTIONS, _start_bare, constant=True)
"""Only parses and answers: the reference of every ratio."""
GATEWAY = Peer("tensorgate", PREDICTIONS, _start_gateway)
THREAD = Peer("aiohttp + thread", _PREDICT, _adapter(f"{_ADAPTERS}.aiohttp_thread"))

PEERS = {
    peer.name: peer
    for peer in (
        GATEWAY,
        THREAD,
        Peer("mosec", instances("/inference"), _start_mosec, "mosec"),
        Peer("litserve", _PREDICT, _adapter(f"{_ADAPTERS}.litserve_app"), "litserve"),
        Peer("bentoml", batchable("/predict"), _start_bentoml, "bentoml"),
        Peer("ray", _PREDICT, _adapter(f"{_ADAPTERS}.ray_app"), "ray"),
        Peer(
            "mlserver",
            inference_protocol("/v2/models/model/infer"),
            _start_mlserver,
            "mlserver",
        ),
    )
}
