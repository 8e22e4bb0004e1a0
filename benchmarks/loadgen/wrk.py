"""Closed loops by wrk, which takes so little that a fast server is still the limit.

It looks at statuses only: the answers have to be checked by ``closed_loop`` before and after.
"""

from __future__ import annotations

import asyncio
import json
import math
import resource
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loadgen.load import GRACE_SECONDS, Traffic

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT_SECONDS = 10
_MARK = "JSON "
_FAULTS = ("connect", "read", "write", "status", "timeout")


class WrkFailed(Exception):
    """wrk did not run to its end."""


def wrk_path() -> str | None:
    """Where wrk is; None when it is not installed (Debian has a package of that name)."""
    return shutil.which("wrk")


@dataclass(frozen=True, slots=True)
class WrkRecord:
    """What came of a run; the same figures as a ``Record``'s."""

    requests: int
    """Answers of any status."""
    seconds: float
    faults: Counter[str]
    percentiles: Mapping[float, float]
    """Seconds by share: of all answers, wrong statuses included."""
    server_cpu_seconds: float
    client_cpu_seconds: float

    @property
    def answered(self) -> int:
        return self.requests - self.faults["status"]

    @property
    def errors(self) -> int:
        return self.faults.total()

    @property
    def requests_per_second(self) -> float:
        """Right statuses per second."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def server_cpu_per_request(self) -> float:
        """Seconds of processor time per answer."""
        return self.server_cpu_seconds / self.requests if self.requests else math.nan

    @property
    def client_busy(self) -> float:
        """Share of one core that wrk used."""
        return self.client_cpu_seconds / self.seconds if self.seconds else 0.0

    def latency(self, share: float) -> float:
        """A percentile in seconds; nan for one that wrk was not asked for."""
        return self.percentiles.get(share, math.nan)

    def late(self, share: float) -> float:
        """nan: a closed loop has no time that a request is due."""
        return math.nan


async def wrk_loop(traffic: Traffic, connections: int, seconds: float) -> WrkRecord:
    """Keep ``connections`` busy for whole seconds (rounded up, wrk's unit), from one thread.

    Raises WrkFailed.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = _write_requests(Path(folder), traffic.requests)
        command = _command(traffic, connections, math.ceil(seconds), files)
        return await asyncio.to_thread(_run, command, traffic, math.ceil(seconds))


def _write_requests(folder: Path, requests: Sequence[bytes]) -> list[str]:
    paths = []
    for number, request in enumerate(requests):
        path = folder / str(number)
        path.write_bytes(request)
        paths.append(str(path))
    return paths


def _command(
    traffic: Traffic, connections: int, seconds: int, files: Sequence[str]
) -> Sequence[str]:
    wrk = wrk_path()
    if wrk is None:
        raise WrkFailed("wrk is not installed")
    flags = (f"-c{connections}", "-t1", f"-d{seconds}s", f"--timeout={TIMEOUT_SECONDS}s")
    url = f"http://{traffic.target.authority}{traffic.target.path}"
    return (wrk, *flags, "-s", str(SCRIPT), url, "--", *files)


def _run(command: Sequence[str], traffic: Traffic, seconds: int) -> WrkRecord:
    server_cpu = traffic.cpu_seconds()
    client_cpu = _reaped_seconds()
    try:
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=seconds + TIMEOUT_SECONDS + GRACE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise WrkFailed(f"wrk: {(error.stderr or error.stdout).strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise WrkFailed("wrk did not end") from error
    server_cpu = traffic.cpu_seconds() - server_cpu
    return parse_output(done.stdout, server_cpu, _reaped_seconds() - client_cpu)


def parse_output(text: str, server_cpu: float, client_cpu: float) -> WrkRecord:
    """The record of wrk's output. Raises WrkFailed when the script's line is not in it."""
    found = [line for line in text.splitlines() if line.startswith(_MARK)]
    if not found:
        raise WrkFailed(f"no figures in what wrk printed: {text[-300:]}")
    figures = json.loads(found[-1].removeprefix(_MARK))
    shares = {0.5: "p50", 0.9: "p90", 0.99: "p99", 0.999: "p99_9"}
    return WrkRecord(
        requests=figures["requests"],
        seconds=figures["microseconds"] / 1e6,
        faults=Counter({fault: figures[fault] for fault in _FAULTS if figures[fault]}),
        percentiles={share: figures[name] / 1e6 for share, name in shares.items()},
        server_cpu_seconds=server_cpu,
        client_cpu_seconds=client_cpu,
    )


def _reaped_seconds() -> float:
    """Processor time of the children that ended so far: wrk is the only one meanwhile."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
