"""A real server process that many tests ask, and a client that sends URLs to the letter."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.gateway.processes import ROOT, START_SECONDS
from tests.gateway.serving import PATIENCE_SECONDS, Answer

_CHOSEN_BY_THE_TEST = re.compile(r"GATEWAY_\w+|MODEL_NAME|MODEL_BASE_PATH")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer on a connection of its own."""
        with closing(
            HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        ) as connection:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.read(), dict(response.getheaders()))

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """``body`` is bytes or becomes JSON; ``path`` begins with the model's name."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"/v1/models/{path}", data, headers)

    def predict(self, model: str, body: Any) -> Answer:
        """``model`` may have a version or a label behind it."""
        return self.post(f"{model}:predict", body)

    def state(self, model: str, version: int) -> tuple[str, str, str]:
        """State, error code and error message of a version; empty while it is not listed."""
        answer = self.get(f"/v1/models/{model}/versions/{version}")
        if answer.status == 404:
            return "", "", ""
        (found,) = answer.json["model_version_status"]
        return found["state"], found["status"]["error_code"], found["status"]["error_message"]

    def is_available(self, model: str, *versions: int) -> bool:
        """Whether the versions, and no others, are AVAILABLE."""
        answer = self.get(f"/v1/models/{model}")
        found = answer.json["model_version_status"] if answer.status == 200 else []
        available = {int(each["version"]) for each in found if each["state"] == "AVAILABLE"}
        return available == set(versions)

    def logged(self, *parts: str) -> bool:
        """Whether a line of its log has all ``parts``."""
        lines = self.log.read_text().splitlines()
        return any(all(part in line for part in parts) for line in lines)

    def configuration_error(self) -> str:
        """Why the newest configuration is not in force; empty when it is."""
        return str(self.get("/v1/models").json["configuration"]["error"])

    def generation(self) -> int:
        """Counts the configurations that came into force."""
        return int(self.get("/v1/models").json["configuration"]["generation"])

    def hang_up(self) -> None:
        """Ask it to read its configuration again."""
        self.process.send_signal(signal.SIGHUP)


def until(condition: Callable[[], object]) -> None:
    """Wait for ``condition``; it must hold before the patience of the tests is over."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Server]:
    """``python -m gateway FLAGS`` in ``folder``, once it answers; ended afterwards."""
    log = folder / "server.log"
    kept = {k: v for k, v in os.environ.items() if not _CHOSEN_BY_THE_TEST.fullmatch(k)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "--port=0", "--rest_api_port=0", *flags],
            cwd=folder,
            env={**kept, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Server(process, log, _wait_for_port(process, log))
    finally:
        process.kill()
        process.wait()


def _wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"^REST on http://[^ ,]*:(\d+)", log.read_text(), re.MULTILINE):
            return int(found[1])
        time.sleep(0.02)
    raise AssertionError(log.read_text())
