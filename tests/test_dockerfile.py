"""The image's description fits the package: what it copies, starts, exposes and asks."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import gateway
from gateway import cli
from gateway.config import load
from gateway.config.settings import Settings

ROOT = Path(gateway.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """Names and arguments, continued lines as one."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    without_comments = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", without_comments).splitlines()
    return [(name, argument) for name, _, argument in (line.partition(" ") for line in lines)]


def arguments(name: str) -> list[str]:
    return [argument for instruction, argument in instructions() if instruction == name]


def last(name: str) -> str:
    return arguments(name)[-1]


@pytest.fixture
def environment() -> dict[str, str]:
    return dict(variable.split("=", 1) for variable in last("ENV").split())


def test_the_entry_point_is_the_package_s_command() -> None:
    (command,) = json.loads(last("ENTRYPOINT"))
    module, function = PROJECT["project"]["scripts"][command].split(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("given", [None, ["--rest_api_port=1234"], ["--max-batch-size", "4"]])
def test_it_serves_with_and_without_flags(
    given: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments of ``docker run`` take CMD's place."""
    served: list[Mapping[str, str]] = []
    monkeypatch.setattr(cli, "_serve", served.append)
    command = json.loads(last("CMD")) if given is None else given
    result = CliRunner().invoke(cli.cli, command)
    assert result.exit_code == 0, result.output
    assert [len(flags) for flags in served] == [0 if given is None else 1]


def test_its_variables_are_settings(environment: dict[str, str], tmp_path: Path) -> None:
    settings = load({}, environment, tmp_path, require_models=True).settings
    assert settings.host == "0.0.0.0"
    (name,) = settings.model_names()
    assert (name, str(settings.for_model(name).base_path)) == ("model", "/models/model")
    assert "/models" in last("RUN").split()


def test_the_ports_are_those_of_tf_serving_s_image() -> None:
    assert set(last("EXPOSE").split()) == {"8500", str(Settings().rest_api_port)}


def test_the_server_is_not_root_and_is_stopped_by_the_signal_that_drains() -> None:
    user, group = last("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert last("STOPSIGNAL") == "SIGTERM"
    assert [name for name, _ in instructions()].index("USER") > [
        name for name, _ in instructions()
    ].index("RUN")


def test_the_python_is_supported_and_no_registry_is_named() -> None:
    images = {image.split()[0] for image in arguments("FROM")}
    assert all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)
    (version,) = {image.removeprefix("python:").removesuffix("-slim") for image in images}
    supported = PROJECT["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version}" in supported


def test_everything_that_the_installation_needs_is_copied() -> None:
    copies = [argument.split() for argument in arguments("COPY") if not argument.startswith("--")]
    sources = {source for *found, _ in copies for source in found}
    project = PROJECT["project"]
    assert sources >= {"pyproject.toml", project["readme"], *project["license-files"]}
    assert sources >= set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    assert "--constraint constraints.txt" in arguments("RUN")[0]
    assert "constraints.txt" in sources


class _Livez(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server's port."""
    handler = type("Handler", (_Livez,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_asks_livez_and_no_proxy(status: int, *, healthy: bool) -> None:
    check = last("HEALTHCHECK")
    program, *options = json.loads(check[check.index("[") :])
    assert program == "python"
    with answering(status) as port:
        environ = {
            **os.environ,
            "GATEWAY_REST_API_PORT": str(port),
            "http_proxy": "http://127.0.0.1:9",
        }
        done = subprocess.run([sys.executable, *options], env=environ, capture_output=True)
    assert (done.returncode == 0) is healthy, done.stderr


def test_the_health_check_s_default_port() -> None:
    assert f"'{Settings().rest_api_port}'" in last("HEALTHCHECK")
