"""Who is measured when: each peer in turn, right after the bare application on the same core."""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.comparison import Measurement, Side, WrongAnswers, check, measure
from benchmarks.http_sides import side_of
from benchmarks.loadgen.cpu import placed_on
from benchmarks.loadgen.server import Server, ServerFailed
from benchmarks.loadgen.wrk import WrkFailed
from benchmarks.peers.catalogue import BARE, Peer
from benchmarks.servers import running_on
from benchmarks.settings import Closed, Generator
from benchmarks.stopping import cancelled_by_sigterm
from benchmarks.zoo.catalogue import Exported

FAILURES = (WrongAnswers, ServerFailed, WrkFailed, OSError, TimeoutError)
Cores = frozenset[int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with every model and peer."""

    connections: Sequence[int]
    rounds: int
    seconds: float
    generator: Generator
    server_cores: Cores
    client_cores: Cores


@dataclass(frozen=True, slots=True)
class Bout:
    """A peer under one load in one round, and the bare application right before it."""

    model: str
    peer: str
    connections: int
    round: int
    measured: Measurement
    reference: Measurement

    @property
    def ratio(self) -> float:
        """Requests a second by the bare application's; nan when that answered none."""
        reference = self.reference.requests_per_second
        return self.measured.requests_per_second / reference if reference else float("nan")

    @property
    def cpu_ratio(self) -> float:
        """The servers' processor time per request, by the bare application's; less depends on what
        else runs on the core."""
        return self.measured.server_cpu_ms / (self.reference.server_cpu_ms or float("nan"))


@dataclass(slots=True)
class Results:
    """All bouts, and who could not be measured and why."""

    bouts: list[Bout] = field(default_factory=list)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    """By model and peer."""

    def of(self, model: str, peer: str, connections: int) -> list[Bout]:
        """In the order of the rounds."""
        found = [b for b in self.bouts if (b.model, b.peer) == (model, peer)]
        return sorted((b for b in found if b.connections == connections), key=lambda b: b.round)

    @property
    def errors(self) -> int:
        return sum(bout.measured.errors for bout in self.bouts)

    def as_json(self) -> list[dict[str, Any]]:
        failures = [{"model": m, "peer": p, "failed": why} for (m, p), why in self.failures.items()]
        return [
            asdict(bout) | {"ratio": bout.ratio, "cpu_ratio": bout.cpu_ratio} for bout in self.bouts
        ] + failures


def run_model(exported: Exported, peers: Sequence[Peer], plan: Plan, results: Results) -> None:
    """Add every peer's bouts with one model. The order turns round by round."""
    with started(BARE, exported, plan.server_cores) as (bare, _):
        for number in range(plan.rounds):
            for peer in reversed(peers) if number % 2 else peers:
                if (exported.model.name, peer.name) in results.failures:
                    continue
                try:
                    results.bouts += _bouts(peer, bare, exported, plan, number)
                except FAILURES as error:
                    results.failures[exported.model.name, peer.name] = _first_line(error)
                    print(f"{peer.name}, {exported.model.name}: {error}", file=sys.stderr)


def _bouts(peer: Peer, bare: Side, exported: Exported, plan: Plan, number: int) -> list[Bout]:
    running = started(peer, exported, plan.server_cores)
    with running as (side, _), placed_on(plan.client_cores):
        gc.collect()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            work = _measure_all(side, bare, plan, number)
            pairs = runner.run(cancelled_by_sigterm(work))
    return [
        Bout(exported.model.name, peer.name, connections, number, measured, reference)
        for connections, (measured, reference) in zip(plan.connections, pairs, strict=True)
    ]


async def _measure_all(
    side: Side, bare: Side, plan: Plan, number: int
) -> list[tuple[Measurement, Measurement]]:
    await check(bare)
    await check(side)
    pairs = []
    for connections in plan.connections:
        setting = Closed(connections, plan.generator)
        reference = await measure(bare, setting, plan.seconds, number)
        await setting.warm_up(side.traffic, min(1.0, plan.seconds))
        pairs.append((await measure(side, setting, plan.seconds, number), reference))
    await check(side)
    return pairs


@contextmanager
def started(
    peer: Peer, exported: Exported, cores: Cores, *, may_refuse: bool = False
) -> Iterator[tuple[Side, Server]]:
    """A running server of a model on the given cores."""
    with ExitStack() as stack:
        files = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(files))
        server = stack.enter_context(running_on(cores, peer.start(peer, exported, folder)))
        yield side_of(server, peer.requests(exported), may_refuse=may_refuse), server


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
