"""``python -m benchmarks.peers``: the gateway beside what else could serve the same SavedModel."""

from __future__ import annotations

import argparse
import asyncio
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.arguments import choices, count, counts, seconds
from benchmarks.loadgen.cpu import split_cores
from benchmarks.machine import Machine, describe_machine
from benchmarks.peers.catalogue import PEERS, Peer
from benchmarks.peers.contest import FAILURES, Plan, Results, run_model
from benchmarks.peers.page import draw, write_page
from benchmarks.peers.report import Table, figures, lead, show
from benchmarks.report import write_json
from benchmarks.settings import GENERATORS, describe_generator, generator_of
from benchmarks.stopping import EXIT_INTERRUPTED, EXIT_TERMINATED, exit_on_sigterm
from benchmarks.zoo.catalogue import DEFAULT_FOLDER, MODELS, ROOT, ensure_models

DESCRIPTION = (
    "Closed loops against the gateway and against other servers of the same SavedModels, each with "
    "its batching on; a bare aiohttp application that runs no model is measured right before each "
    "of them and is what they are divided by."
)
RESULTS = ROOT / "benchmarks" / "results"
TITLE = "Tensorgate side by side"
QUICK_CONNECTIONS, QUICK_SECONDS = (8,), 0.3


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=DESCRIPTION)
    parser.add_argument(
        "--peers",
        type=choices(tuple(PEERS)),
        default=tuple(PEERS),
        metavar="NAME,...",
        help=f"of {', '.join(PEERS)}",
    )
    parser.add_argument(
        "--models",
        type=choices(tuple(MODELS)),
        default=tuple(MODELS),
        metavar="NAME,...",
        help=f"of {', '.join(MODELS)}",
    )
    parser.add_argument("--connections", type=counts(1024), default=(1, 64, 256), metavar="N,N,...")
    parser.add_argument("--seconds", type=seconds(60), default=5.0, help="of one run")
    parser.add_argument("--rounds", type=count(20), default=2)
    parser.add_argument("--generator", choices=GENERATORS, default="auto")
    parser.add_argument("--no-pin", dest="pin", action="store_false", help="share all cores")
    parser.add_argument("--models-dir", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS / "peers.json")
    parser.add_argument("--png", type=Path, metavar="FILE", default=RESULTS / "peers.png")
    parser.add_argument("--html", type=Path, metavar="FILE", default=RESULTS / "peers.html")
    parser.add_argument("--quick", action="store_true", help="one short round at 8 connections")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds = 1
        options.connections, options.seconds = QUICK_CONNECTIONS, QUICK_SECONDS
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; 1 when somebody who is installed failed or answered wrong; 2 when nothing
    could be measured."""
    options = parse(arguments)
    exit_on_sigterm()
    try:
        return _compare(options)
    except (*FAILURES, ValueError, subprocess.CalledProcessError) as error:
        print(f"benchmarks.peers: {error}", file=sys.stderr)
        return 2
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _compare(options: argparse.Namespace) -> int:
    peers = [PEERS[name] for name in options.peers]
    for peer in peers:
        if not peer.installed:
            print(f"{peer.name}: not installed, left out (benchmarks/peers/install {peer.name})")
    peers = [peer for peer in peers if peer.installed]
    machine, plan = describe_machine(), _plan(options)
    head = [*machine.lines(), *_conditions(peers, plan)]
    print("\n".join(head), end="\n\n", flush=True)
    models = ensure_models(options.models, options.models_dir)
    results, tables = Results(), []
    for name, exported in models.items():
        run_model(exported, peers, plan, results)
        for connections in plan.connections:
            found = figures(results, name, [peer.name for peer in peers], connections)
            tables.append(found)
            print(show(found), end="\n\n", flush=True)
    ranking = lead(results, options.models, [peer.name for peer in peers], plan.connections)
    print(show(ranking), end="\n\n")
    _write(options, machine, head, [ranking, *tables], results, peers)
    print(
        f"{results.errors} errors; {len(results.failures)} of the installed could not be measured"
    )
    return 1 if results.errors or results.failures else 0


def _plan(options: argparse.Namespace) -> Plan:
    server_cores, client_cores = split_cores(pin=options.pin)
    return Plan(
        options.connections,
        options.rounds,
        options.seconds,
        generator_of(options.generator),
        server_cores,
        client_cores,
    )


def _conditions(peers: Sequence[Peer], plan: Plan) -> list[str]:
    cores = "servers and load share all cores"
    if plan.server_cores:
        cores = f"each server on core {min(plan.server_cores)}, load on {min(plan.client_cores)}"
    return [
        f"peers    {', '.join(peer.label for peer in peers)}",
        f"rounds   {plan.rounds} x {plan.seconds:g} s each; {cores}",
        f"load     {describe_generator(plan.generator)}",
    ]


def _write(
    options: argparse.Namespace,
    machine: Machine,
    head: Sequence[str],
    tables: Sequence[Table],
    results: Results,
    peers: Sequence[Peer],
) -> None:
    given = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    versions = {peer.name: peer.version() for peer in peers}
    write_json(options.json, machine, given | {"versions": versions}, results.as_json())
    title = f"{machine.processor}, {machine.cores} cores, Python {platform.python_version()}, "
    title += f"TensorFlow {machine.versions.get('tensorflow')}, commit {machine.commit}"
    shown = {peer.name: peer.label for peer in peers}
    drawn = draw(results, options.models, shown, options.connections, title, options.png)
    if not drawn:
        print("no picture: matplotlib is not installed (dependency group bench)")
    write_page(options.html, TITLE, head, tables, options.png if drawn else None)
    written = [options.json, options.html, *([options.png] if drawn else [])]
    print("written  " + ", ".join(map(str, written)))


if __name__ == "__main__":
    sys.exit(main())
