"""The servers of the HTTP benchmark, started, placed and with their requests."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.comparison import Side
from benchmarks.loadgen.answers import Sample, demo_samples
from benchmarks.loadgen.cpu import placed_on, process_tree_seconds, split_cores
from benchmarks.loadgen.load import Requests, Traffic
from benchmarks.loadgen.server import Server
from benchmarks.loadgen.target import target_of
from benchmarks.peers.wires import PREDICTIONS
from benchmarks.servers import DEMO_PATH, ROOT, bare_server, demo_server, gateway_server
from benchmarks.zoo.catalogue import ensure_models

CHECK_EVERY = 100
"""A running server's answers that differ in their bytes from the right one: each so many-th is
compared by value. Those of servers started here are all compared."""
HOT_PATH_OFF = ("--hot_path=false",)
DEMO = Requests(DEMO_PATH, demo_samples())


@contextmanager
def started_sides(options: argparse.Namespace) -> Iterator[list[Side]]:
    """The servers to compare, the references behind the first."""
    server_cores, client_cores = split_cores(pin=options.pin)
    with ExitStack() as stack:
        if options.model:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            made = _model_sides(options, folder)
        else:
            made = _demo_sides(options)
        with placed_on(server_cores):
            for server, _ in made:
                stack.enter_context(server)
        stack.enter_context(placed_on(client_cores))
        yield [side_of(server, requests) for server, requests in made]


def _demo_sides(options: argparse.Namespace) -> list[tuple[Server, Requests]]:
    kept = options.demo_dir
    servers = [demo_server("gateway", kept), bare_server()]
    if options.hot_path_off:
        servers.append(demo_server("hot path off", kept, more=HOT_PATH_OFF))
    if options.against:
        servers.append(demo_server("before", kept, options.against.resolve()))
    return [(server, DEMO) for server in servers]


def _model_sides(options: argparse.Namespace, folder: Path) -> list[tuple[Server, Requests]]:
    exported = ensure_models([options.model])[options.model]

    def gateway(name: str, checkout: Path = ROOT, more: Sequence[str] = ()) -> Server:
        return gateway_server(name, [exported], folder, more, checkout)

    requests = PREDICTIONS.requests(exported)
    constant = exported.questions[0].answer
    made = [(gateway("gateway"), requests), (bare_server(constant), requests.always(constant))]
    if options.hot_path_off:
        made.append((gateway("hot path off", more=HOT_PATH_OFF), requests))
    if options.against:
        made.append((gateway("before", options.against.resolve()), requests))
    return made


def side_of(server: Server, requests: Requests = DEMO, *, may_refuse: bool = False) -> Side:
    """A server with the requests that it gets."""
    target = target_of(server.url + requests.path)
    traffic = Traffic(
        target,
        requests.samples,
        cpu_seconds=server.cpu_seconds,
        read=requests.read,
        may_refuse=may_refuse,
    )
    return Side(server.name, traffic)


def running_side(url: str, body: bytes, pid: int | None) -> Side:
    """A server that somebody else started. Its first answer is taken for the right one."""
    target, samples = target_of(url), [Sample(body)]
    if pid is None:
        return Side("server", Traffic(target, samples, every=CHECK_EVERY))
    cpu_seconds = partial(process_tree_seconds, pid)
    return Side("server", Traffic(target, samples, every=CHECK_EVERY, cpu_seconds=cpu_seconds))
