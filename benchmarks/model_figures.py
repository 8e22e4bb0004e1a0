"""The measurements of ``benchmarks.models``, each round against its own reference."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from benchmarks.comparison import Side, check
from benchmarks.http_sides import side_of
from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.cpu import placed_on
from benchmarks.loadgen.load import Requests
from benchmarks.loadgen.server import Server
from benchmarks.peers.catalogue import GATEWAY, THREAD
from benchmarks.peers.contest import FAILURES as SERVER_FAILURES
from benchmarks.peers.contest import started
from benchmarks.peers.wires import PREDICTIONS, raw_tensors
from benchmarks.probing import NothingSeen, Seen, forget, probed_server, seen
from benchmarks.servers import ROOT, gateway_server, running_on
from benchmarks.settings import Closed, Generator
from benchmarks.stopping import cancelled_by_sigterm
from benchmarks.zoo.catalogue import Exported

FAILURES = (*SERVER_FAILURES, NothingSeen)
BATCH_ROWS = 32
START_SECONDS = 60
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Of all measurements."""

    models_dir: Path
    connections: int
    rounds: int
    seconds: float
    generator: Generator
    server_cores: frozenset[int]
    client_cores: frozenset[int]


@dataclass(frozen=True, slots=True)
class Rate:
    """Items a second, and a second of processor time, which others on the core disturb less."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """One round."""

    signature: Rate
    session: Rate
    json: Rate
    binary: Rate | None
    """None for a model whose inputs have no binary form."""

    @property
    def alone(self) -> Rate:
        """Of TensorFlow without a server, by the faster way to call it."""
        ways = (self.signature, self.session)
        return Rate(max(way.wall for way in ways), max(way.cpu for way in ways))


@dataclass(frozen=True, slots=True)
class Lone:
    """Seconds of one client at a time, in one round."""

    gateway_p50: float
    gateway_p99: float
    thread_p50: float
    thread_p99: float


@dataclass(frozen=True, slots=True)
class Loop:
    """What a round under load showed of the event loop."""

    body: str
    requests_per_second: float
    seen: Seen


def throughput(exported: Exported, given: Conditions) -> list[Throughput]:
    """The server and TensorFlow by turns on one core."""
    bodies = _bodies(exported)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = gateway_server("tensorgate", [exported], folder)
        stack.enter_context(running_on(given.server_cores, server))
        sides = {name: side_of(server, requests) for name, requests in bodies.items()}
        stack.enter_context(placed_on(given.client_cores))
        for side in sides.values():
            _run(_prepared(side, given))
        rounds = []
        for _ in range(given.rounds):
            alone = _tensorflow_alone(exported, given)
            served = {name: _run(_items(side, given)) for name, side in sides.items()}
            rounds.append(Throughput(**alone, json=served["JSON"], binary=served.get("binary")))
        for side in sides.values():
            _run(check(side))
        return rounds


def lone_client(exported: Exported, given: Conditions) -> list[Lone]:
    """One client of the gateway and of the obvious handler, by turns."""
    with ExitStack() as stack:
        ours, _ = stack.enter_context(started(GATEWAY, exported, given.server_cores))
        theirs, _ = stack.enter_context(started(THREAD, exported, given.server_cores))
        stack.enter_context(placed_on(given.client_cores))
        for side in (ours, theirs):
            _run(check(side))
        rounds = []
        for number in range(given.rounds):
            order = (theirs, ours) if number % 2 else (ours, theirs)
            records = {id(s): _run(closed_loop(s.traffic, 1, given.seconds)) for s in order}
            mine, other = records[id(ours)], records[id(theirs)]
            percentiles = [
                record.latency(share) for record in (mine, other) for share in (0.5, 0.99)
            ]
            rounds.append(Lone(*percentiles))
        return rounds


def loop_lag(exported: Exported, given: Conditions) -> list[Loop]:
    """A server watched from inside, its device busy, after its warm-up. On all cores: on one, the
    kernel's turns between loop and device would be measured."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = probed_server([exported], folder)
        stack.enter_context(running_on(frozenset(), server))
        rounds = []
        for name, requests in _bodies(exported).items():
            side = side_of(server, requests)
            _run(_prepared(side, given))
            rounds += [_watched(name, side, server, folder, given) for _ in range(given.rounds)]
        return rounds


def _watched(name: str, side: Side, server: Server, folder: Path, given: Conditions) -> Loop:
    forget(server)
    per_second = _run(_items(side, given)).wall
    return Loop(name, per_second, seen(server, folder))


def _bodies(exported: Exported) -> dict[str, Requests]:
    requests = {"JSON": PREDICTIONS.requests(exported)}
    if exported.model.dtype == "float32" and exported.model.name != "half_plus_two":
        requests["binary"] = raw_tensors(exported)
    return requests


async def _prepared(side: Side, given: Conditions) -> None:
    await check(side)
    await Closed(given.connections).warm_up(side.traffic, min(1.0, given.seconds))


async def _items(side: Side, given: Conditions) -> Rate:
    closed = Closed(given.connections, given.generator)
    outcome = await closed.run(side.traffic, given.seconds)
    return Rate(outcome.requests_per_second, 1 / (outcome.server_cpu_per_request or math.nan))


def _tensorflow_alone(exported: Exported, given: Conditions) -> dict[str, Rate]:
    command = (sys.executable, "-m", "benchmarks.tensorflow_alone", exported.model.name)
    flags = (f"--models-dir={given.models_dir}", f"--rows={BATCH_ROWS}")
    with placed_on(given.server_cores):
        done = subprocess.run(
            (*command, *flags, f"--seconds={given.seconds / 2}"),
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=START_SECONDS + given.seconds,
        )
    return {call: Rate(*rate) for call, rate in json.loads(done.stdout).items()}


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(cancelled_by_sigterm(work))
