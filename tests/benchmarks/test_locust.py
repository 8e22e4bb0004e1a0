"""The locust scripts end to end, and their answer check."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from benchmarks.arguments import steps
from benchmarks.locust_run import parse
from benchmarks.servers import bare_server
from tests.benchmarks.helpers import faulty_server, run_module

RUN = ("--seconds=60", "--users=2", "--requests=60")


def test_users_ask_and_the_summary_is_printed() -> None:
    with bare_server() as server:
        done = run_module("benchmarks.locust_run", *RUN, f"--url={server.url}")
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout + done.stderr
    assert re.search(r"predict half_plus_two +60 +0\(0\.00%\)", output), output


def test_users_come_in_steps() -> None:
    with bare_server() as server:
        done = run_module("benchmarks.locust_run", "--steps=1:1,3:2", f"--url={server.url}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Shape test updating to 3 users" in done.stdout + done.stderr
    assert "Shape test completed" in done.stdout + done.stderr


def test_wrong_answers_fail_the_run() -> None:
    with faulty_server(right=20) as server:
        done = run_module("benchmarks.locust_run", *RUN, f"--url={server.url}")
    assert done.returncode == 1
    assert "wrong: " in done.stdout + done.stderr


def test_what_is_no_target_is_refused() -> None:
    done = run_module("benchmarks.locust_run", *RUN, "--url=ftp://127.0.0.1:9")
    assert done.returncode == 2
    assert "is no http:// URL" in done.stdout + done.stderr


def test_a_run_without_answers_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = run_module("benchmarks.locust_run", "--seconds=1", "--users=1", f"--url={url}")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no request was answered" in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "8", "8:", "x:1", "0:1", "8:400,8:300"])
def test_steps_are_bounded(text: str) -> None:
    with pytest.raises(SystemExit):
        parse([f"--steps={text}"])


def test_steps() -> None:
    assert steps("8:10,16:5") == [(8, 10), (16, 5)]


def test_the_mixed_load_finds_nothing_wrong(models_dir: Path, tmp_path: Path) -> None:
    report = tmp_path / "mixed.html"
    flags = ("--mixed", "--quick", f"--models-dir={models_dir}", f"--html={report}")
    done = run_module("benchmarks.locust_run", *flags)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    for name in ("row tokens", r"column \w+", r"doubled \w+", r"8 rows \w+", r"mistake: [\w ]+"):
        assert re.search(rf"{name} +\d+ +0\(0\.00%\)", output), output
    assert "<html" in report.read_text()


def test_the_mixed_load_notices_wrong_answers(models_dir: Path) -> None:
    with bare_server(0.0) as server:
        flags = ("--mixed", "--quick", f"--models-dir={models_dir}", f"--url={server.url}")
        done = run_module("benchmarks.locust_run", *flags)
    assert done.returncode == 1
    assert "wrong: " in done.stdout + done.stderr
