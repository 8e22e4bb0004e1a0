"""A server process under load: started, awaited, measured and stopped."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from benchmarks.loadgen.cpu import process_tree_seconds
from benchmarks.loadgen.processes import kill_leftovers, living_tree

HOST = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 15.0
_SHOWN_BYTES = 2000

Command = Callable[[int], Sequence[str]]
"""A server's command line for a port; it must listen on 127.0.0.1."""


class ServerFailed(Exception):
    """The server ended or did not become ready; the message has the end of its output."""


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_ready(port: int) -> bool:
    """Whether a server on this machine answers 200 to /readyz."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Server:
    """A context manager around a server process. ``url`` is its root, without a slash."""

    def __init__(
        self,
        name: str,
        command: Command,
        *,
        cwd: Path | None = None,
        ready: Callable[[int], bool] = is_ready,
    ) -> None:
        self.name = name
        self._ready = ready
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._command = list(command(self.port))
        self._cwd = cwd
        self._output: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._output = tempfile.TemporaryFile()
        # A session of its own: Ctrl-C reaches the benchmark alone, which then stops the server.
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._await_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it. Raises ServerFailed when it ended before: that explains any other error."""
        assert self._process is not None, "started"
        try:
            if (code := self._process.poll()) is not None:
                raise self._ended(code) from exc
        finally:
            self._stop()

    @property
    def pid(self) -> int:
        assert self._process is not None, "started"
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Processor time of the process and its children so far."""
        return process_tree_seconds(self.pid)

    def _await_ready(self) -> None:
        assert self._process is not None, "started"
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if (code := self._process.poll()) is not None:
                raise self._ended(code)
            if self._ready(self.port):
                return
            time.sleep(0.05)
        raise ServerFailed(f"{self.name} is not ready after {START_SECONDS:g} s")

    def _stop(self) -> None:
        process, output = self._process, self._output
        assert process is not None, "started"
        assert output is not None, "started"
        # Those that leave the process group, as Ray's do, would outlive it.
        left = living_tree(process.pid)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        kill_leftovers(left)
        output.close()

    def _ended(self, code: int) -> ServerFailed:
        assert self._output is not None, "started"
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _SHOWN_BYTES))
        last = self._output.read().decode(errors="replace")
        return ServerFailed(f"{self.name} ended with {code}:\n{last}")
