"""What every locust script here keeps to: load goes to this machine, every run ends, and a run
without an answer fails. Import it for its listeners; ``Steps`` is a load shape.

Environment:
    REQUESTS     most requests in all (1000000)
    LOAD_SHAPE   steps: users by STEPS instead of --users
    STEPS        USERS:SECONDS,... of the steps (8:10,16:10,32:10,64:10)
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import LoadTestShape, events
from locust.env import Environment
from locust.exception import StopUser

from benchmarks.arguments import steps
from benchmarks.loadgen.target import target_of

logger = logging.getLogger(__name__)

REQUESTS = int(os.environ.get("REQUESTS", "1000000"))
RUN_SECONDS = 60
"""Of a run without a user interface that was given no --run-time."""
_TURNS = itertools.count()


def next_turn(environment: Environment) -> int:
    """The number of the request that comes next, from 0; ends the run when they are used up."""
    turn = next(_TURNS)
    if turn >= REQUESTS:
        if turn == REQUESTS and environment.runner is not None:
            gevent.spawn(environment.runner.quit)
        raise StopUser
    return turn


def steps_from(text: str) -> list[tuple[int, int]]:
    """Users and seconds of each step."""
    try:
        return steps(text)
    except argparse.ArgumentTypeError as error:
        raise SystemExit(f"STEPS: {error}") from None


def fault_of(host: str) -> str | None:
    """Why no load may go to a host's root URL."""
    try:
        target_of(host + "/")
    except ValueError as error:
        return str(error)
    return None


class Steps(LoadTestShape):
    """More users step by step; the run ends after the last step."""

    abstract = os.environ.get("LOAD_SHAPE") != "steps"
    _steps = steps_from(os.environ.get("STEPS", "8:10,16:10,32:10,64:10"))

    def tick(self) -> tuple[int, int] | None:
        """Users, and how many of them start per second; None at the end."""
        end = 0
        for users, seconds in self._steps:
            end += seconds
            if self.get_run_time() < end:  # type: ignore[no-untyped-call]
                return users, users
        return None


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def bound_run_time(parser: Any, **_: Any) -> None:
    # A shape ends by itself.
    if Steps.abstract:
        parser.set_defaults(run_time=f"{RUN_SECONDS}s")


@events.init.add_listener  # type: ignore[untyped-decorator]
def refuse_remote_host(environment: Environment, **_: Any) -> None:
    """Load goes to this machine only. Ends locust with 2 before anything is sent."""
    if environment.host is not None and (fault := fault_of(environment.host)):
        logger.error(fault)
        sys.exit(2)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def refuse_remote_host_of_the_page(environment: Environment, **_: Any) -> None:
    """The user interface lets its user change the host."""
    if fault := fault_of(environment.host or ""):
        logger.error(fault)
        assert environment.runner is not None, "a test starts on a runner"
        environment.runner.quit()


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def fail_without_answers(environment: Environment, **_: Any) -> None:
    if environment.stats.total.num_requests == 0 and environment.process_exit_code is None:
        logger.error("no request was answered")
        environment.process_exit_code = 2
