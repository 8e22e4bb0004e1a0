"""Locust without its user interface against the demo server, started for it.

``benchmarks/run_locust --help`` or ``python -m benchmarks.locust_run --help``. Arguments after
``--`` are locust's. Exits with locust's code: 0 when every answer was right.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.arguments import count, steps
from benchmarks.loadgen.server import ServerFailed
from benchmarks.servers import ROOT, demo_server
from benchmarks.stopping import exit_on_sigterm

DESCRIPTION = "Load the demo server with locust, without its user interface."
LOCUSTFILE = Path(__file__).parent / "locustfile.py"
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
    parser.add_argument("--url", help="root of a server that runs already, instead of the demo")
    parser.add_argument("--demo-dir", type=Path, help="where the demo model is kept")
    parser.add_argument("locust", nargs="*", metavar="-- OPTION", help="more options of locust")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    exit_on_sigterm()
    try:
        with ExitStack() as stack:
            url = options.url
            if url is None:
                url = stack.enter_context(demo_server("gateway", options.demo_dir)).url
            return run_locust(url, options)
    except ServerFailed as error:
        print(f"run_locust: {error}", file=sys.stderr)
        return 2


def run_locust(url: str, options: argparse.Namespace) -> int:
    """Locust's exit code; its summary goes to standard output."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url]
    environment = os.environ | {"REQUESTS": str(options.requests)}
    if options.steps:
        shape = ",".join(f"{users}:{seconds}" for users, seconds in options.steps)
        environment |= {"LOAD_SHAPE": "steps", "STEPS": shape}
        longest = sum(seconds for _, seconds in options.steps)
    else:
        command += ["--run-time", f"{options.seconds}s"]
        command += ["--users", str(options.users), "--spawn-rate", str(options.users)]
        longest = options.seconds
    command += ["--headless", "--only-summary", *options.locust]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, timeout=longest + STOP_SECONDS, check=False
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
