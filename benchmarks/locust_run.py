"""Locust without its user interface against the demo server, or a mixed load on several models.

``benchmarks/run_locust --help`` or ``python -m benchmarks.locust_run --help``. Arguments after
``--`` are locust's. Exits with locust's code: 0 when every answer was right.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.arguments import count, steps
from benchmarks.loadgen.server import Server, ServerFailed
from benchmarks.servers import ROOT, demo_server, gateway_server
from benchmarks.stopping import exit_on_sigterm
from benchmarks.zoo.catalogue import DEFAULT_FOLDER, MODELS, ensure_models

DESCRIPTION = (
    "Load the demo server with locust, or with --mixed a server of several models with all that "
    "clients do; without its user interface."
)
LOCUSTFILE = Path(__file__).parent / "locustfile.py"
MIXED = Path(__file__).parent / "locust_mixed.py"
STOP_SECONDS = 60
"""What locust has for its start and its end beside the run itself."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run_locust", description=DESCRIPTION)
    parser.add_argument("--seconds", type=count(600), default=10)
    parser.add_argument("--users", type=count(1024), default=32)
    parser.add_argument(
        "--requests", type=count(1_000_000), default=1_000_000, help="end after so many"
    )
    parser.add_argument(
        "--steps", type=steps, metavar="USERS:SECONDS,...", help="instead of --users and --seconds"
    )
    parser.add_argument(
        "--mixed", action="store_true", help="models, signatures, forms, mistakes, status calls"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write locust's report")
    parser.add_argument("--quick", action="store_true", help="two seconds, 24 users")
    parser.add_argument("--models-dir", type=Path, default=DEFAULT_FOLDER, help="of --mixed")
    parser.add_argument("--url", help="root of a server that runs already, instead of the demo")
    parser.add_argument("--demo-dir", type=Path, help="where the demo model is kept")
    parser.add_argument("locust", nargs="*", metavar="-- OPTION", help="more options of locust")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seconds, options.users = 2, 24
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    exit_on_sigterm()
    try:
        with ExitStack() as stack:
            url = options.url or stack.enter_context(_server(options, stack)).url
            return run_locust(url, options)
    except (ServerFailed, subprocess.CalledProcessError) as error:
        print(f"run_locust: {error}", file=sys.stderr)
        return 2


def _server(options: argparse.Namespace, stack: ExitStack) -> Server:
    if not options.mixed:
        return demo_server("gateway", options.demo_dir)
    models = ensure_models(tuple(MODELS), options.models_dir)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return gateway_server("gateway", list(models.values()), folder)


def run_locust(url: str, options: argparse.Namespace) -> int:
    """Locust's exit code; its summary goes to standard output."""
    command = [sys.executable, "-m", "locust", "-f", str(MIXED if options.mixed else LOCUSTFILE)]
    command += ["--host", url]
    environment = os.environ | {"REQUESTS": str(options.requests)}
    environment |= {"MODELS_DIR": str(options.models_dir.resolve())}
    if options.steps:
        shape = ",".join(f"{users}:{seconds}" for users, seconds in options.steps)
        environment |= {"LOAD_SHAPE": "steps", "STEPS": shape}
        longest = sum(seconds for _, seconds in options.steps)
    else:
        command += ["--run-time", f"{options.seconds}s"]
        command += ["--users", str(options.users), "--spawn-rate", str(options.users)]
        longest = options.seconds
    if options.html:
        options.html.parent.mkdir(parents=True, exist_ok=True)
        command += ["--html", str(options.html.resolve())]
    command += ["--headless", "--only-summary", *options.locust]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, timeout=longest + STOP_SECONDS, check=False
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
