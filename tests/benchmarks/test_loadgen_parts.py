"""Targets, percentiles, processor time and server processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loadgen.answers import AnswerCheck, demo_samples
from benchmarks.loadgen.cpu import TICK_SECONDS, placed_on, process_tree_seconds, split_cores
from benchmarks.loadgen.record import MAX_REASONS, Record, percentile
from benchmarks.loadgen.server import Server, ServerFailed, is_ready
from benchmarks.loadgen.target import RemoteTarget, Target, target_of
from benchmarks.servers import bare_server

BURN_SECONDS = 0.1
BURN = f"import time\nwhile time.process_time() < {BURN_SECONDS}: pass\n"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (
            "http://127.0.0.1:8501/v1/models/m:predict",
            Target("127.0.0.1", 8501, "/v1/models/m:predict"),
        ),
        ("http://127.0.0.9?a=b", Target("127.0.0.9", 80, "/?a=b")),
        ("http://[::1]:81/x", Target("::1", 81, "/x")),
    ],
)
def test_targets(url: str, target: Target) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "[2001:db8::1]", "10.0.0.1"])
def test_load_goes_nowhere_else(host: str) -> None:
    with pytest.raises(RemoteTarget):
        target_of(f"http://{host}:80/")


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "127.0.0.1:80", "", "http:///x"])
def test_what_is_no_target(url: str) -> None:
    with pytest.raises(ValueError, match="is no http:// URL"):
        target_of(url)


def test_a_request_is_http() -> None:
    request = Target("::1", 81, "/x").request(b"body")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.splitlines()[:2] == [b"POST /x HTTP/1.1", b"Host: [::1]:81"]
    assert b"Content-Length: 4" in head.splitlines()
    assert body == b"body"


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_splits_the_values(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 0.5) != percentile([], 0.5)


def test_kinds_of_faults_are_bounded() -> None:
    record = Record(AnswerCheck(demo_samples()))
    for number in range(MAX_REASONS + 5):
        record.answer(0, 500, str(number).encode(), 0.0, 1.0)
    assert len(record.faults) == MAX_REASONS + 1
    assert record.errors == MAX_REASONS + 5
    assert record.answered == 0


def python_child(code: str) -> subprocess.Popen[bytes]:
    """A process that has run ``code`` and waits for its end."""
    child = subprocess.Popen(
        [sys.executable, "-c", f"{code}\nprint(flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_processor_time_includes_children_that_ended() -> None:
    run_another = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\n"
    parent = python_child(run_another + BURN)
    assert process_tree_seconds(parent.pid) >= 2 * BURN_SECONDS - 4 * TICK_SECONDS
    parent.communicate(b"\n", timeout=30)
    with pytest.raises(ProcessLookupError):
        process_tree_seconds(parent.pid)


def test_processor_time_includes_living_children() -> None:
    before, own = process_tree_seconds(os.getpid()), time.process_time()
    child = python_child(BURN)
    grown, own = process_tree_seconds(os.getpid()) - before, time.process_time() - own
    assert grown - own >= BURN_SECONDS - 4 * TICK_SECONDS
    child.communicate(b"\n", timeout=30)


def test_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    one = frozenset([min(before)])
    with placed_on(one):
        assert os.sched_getaffinity(0) == one
    assert os.sched_getaffinity(0) == before
    with placed_on(frozenset()):
        assert os.sched_getaffinity(0) == before


def test_servers_and_load_get_a_core_each() -> None:
    servers, load = split_cores(pin=True)
    assert not servers & load
    assert len(servers) == len(load) <= 1
    assert split_cores(pin=False) == (frozenset(), frozenset())


def test_a_server_is_started_and_stopped() -> None:
    with bare_server() as server:
        assert is_ready(server.port)
        assert server.cpu_seconds() > 0
        pid = server.pid
    assert not is_ready(server.port)
    with pytest.raises(ProcessLookupError):
        process_tree_seconds(pid)


def test_a_server_that_fails_says_why() -> None:
    server = Server("broken", lambda port: [sys.executable, "-c", "raise SystemExit('no luck')"])
    with pytest.raises(ServerFailed, match=r"(?s)broken ended with 1:.*no luck"), server:
        pass


def test_a_server_that_dies_under_load_explains_the_error() -> None:
    server = bare_server().__enter__()
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    refused = ConnectionRefusedError()
    with pytest.raises(ServerFailed, match="bare ended with -9") as failed:
        server.__exit__(None, refused, None)
    assert failed.value.__cause__ is refused
