"""A server watched from inside, by ``probe/sitecustomize.py`` in each of its processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loadgen.processes import descendants
from benchmarks.loadgen.record import percentile
from benchmarks.loadgen.server import Server
from benchmarks.servers import ROOT, gateway_command, write_config
from benchmarks.zoo.catalogue import Exported

PROBE = ROOT / "benchmarks" / "probe"
WRITE_SECONDS = 10.0
FULL = "2"
"""Generation of a full collection."""


class NothingSeen(Exception):
    """A server's processes told nothing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Of the process whose event loop was latest. Seconds."""

    lag_p50: float
    lag_p99: float
    lag_max: float
    full_pause: float
    """The longest full collection of any process; 0 without one."""
    pause: float
    """The longest collection of any kind."""


def probed_server(models: Sequence[Exported], folder: Path, more: Sequence[str] = ()) -> Server:
    """``gateway_server`` with probes that write to ``folder``."""
    config = write_config(models, folder)

    def command(port: int) -> Sequence[str]:
        path = os.pathsep.join((str(PROBE), str(ROOT)))
        probe = (f"PYTHONPATH={path}", f"PROBE_FOLDER={folder}")
        return ("env", *probe, *gateway_command(port, config, more))

    return Server("probed", command, cwd=ROOT)


def forget(server: Server) -> None:
    """What was seen so far does not count: loading, warm-up, the first requests."""
    for pid in (server.pid, *descendants(server.pid)):
        os.kill(pid, signal.SIGUSR1)


def seen(server: Server, folder: Path) -> Seen:
    """What was seen since ``forget``. Raises NothingSeen."""
    pids = (server.pid, *descendants(server.pid))
    files = [folder / f"{pid}.json" for pid in pids]
    for pid, file in zip(pids, files, strict=True):
        file.unlink(missing_ok=True)
        os.kill(pid, signal.SIGUSR2)
    end = time.monotonic() + WRITE_SECONDS
    while not all(file.exists() for file in files):
        if time.monotonic() > end:
            raise NothingSeen("a process of the server did not write what it saw")
        time.sleep(0.05)
    return summary([json.loads(file.read_bytes()) for file in files])


def summary(processes: Sequence[dict[str, object]]) -> Seen:
    """The worst of what the processes wrote. Raises NothingSeen when none has an event loop."""
    loops = [sorted(process["lags"]) for process in processes if process["lags"]]  # type: ignore[call-overload]
    if not loops:
        raise NothingSeen("no process of the server has an event loop")
    worst = max(loops, key=lambda lags: percentile(lags, 0.99))
    pauses = [dict(process["pauses"]) for process in processes]  # type: ignore[call-overload]
    return Seen(
        lag_p50=percentile(worst, 0.5),
        lag_p99=percentile(worst, 0.99),
        lag_max=worst[-1],
        full_pause=max((found.get(FULL, 0.0) for found in pauses), default=0.0),
        pause=max((took for found in pauses for took in found.values()), default=0.0),
    )
