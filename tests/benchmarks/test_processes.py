"""Processes that outlive their server are ended, and nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from benchmarks.loadgen.processes import descendants, kill_leftovers, living_tree, started_at

WAITER = (sys.executable, "-c", "import sys; sys.stdin.read()")
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=sys.stdin)
print(child.pid, flush=True)
child.wait()
"""


def test_a_tree_and_its_end() -> None:
    command = (sys.executable, "-c", PARENT)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        tree = living_tree(parent.pid)
        assert list(descendants(parent.pid)) == list(tree) == [child]
        kill_leftovers(tree)
        # Its child's end is its own.
        assert parent.wait(30) == 0
    assert started_at(child) is None
    kill_leftovers(tree)


def test_somebody_else_with_the_same_id_lives_on() -> None:
    with subprocess.Popen(WAITER, stdin=subprocess.PIPE) as process:
        assert started_at(process.pid) is not None
        kill_leftovers({process.pid: "1"})
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
