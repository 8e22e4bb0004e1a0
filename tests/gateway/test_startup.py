"""From the command line to the first answer, in real processes."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest

from gateway.backends.tensorflow import TensorFlowBackend
from gateway.config.settings import Settings
from gateway.example import curl_line
from tests import saved_models
from tests.gateway.conftest import Exporter, Repository
from tests.gateway.processes import FAKE, TENSORFLOW, fetch, running
from tests.gateway.serving import folders, serving

MOST_LINES = 6


async def run_in_bash(line: str) -> object:
    """The JSON that a printed command prints."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr
    return json.loads(stdout)


@pytest.mark.tf
async def test_the_demo(tmp_path: Path) -> None:
    flags = (f"--demo_dir={tmp_path}", "--port=0", "--rest_api_port=0")
    async with running(TENSORFLOW, "demo", *flags, cwd=tmp_path) as server:
        assert len(server.lines) <= MOST_LINES
        assert server.lines[0].startswith("Tensorgate 0.")
        assert await run_in_bash(server.lines[-1]) == {"predictions": [2.5, 3.0, 4.5]}
        assert (await fetch(server.port, "/readyz"))[0] == 200
        server.process.terminate()
        assert await server.finish() == 0
        assert len(server.lines) <= MOST_LINES


MODEL_CONFIG = """
model_config_list {{
  config {{ name: 'half' base_path: '{root}/half' model_platform: 'tensorflow' }}
  config {{ name: "broken" base_path: "{root}/broken" model_platform: "tensorflow" }}
  config {{ name: "text" base_path: "{root}/text" model_platform: "tensorflow" }}
}}
"""
PINNED = """
devices = ["cpu:0", "cpu:1"]
[models.half]
devices = ["cpu:1"]
"""


@pytest.mark.tf
async def test_several_models_one_of_them_broken(tmp_path: Path, repository: Repository) -> None:
    root = repository(half=saved_models.half_plus_two, text=saved_models.strings)
    folders(root, "broken/1")
    (root / "models.conf").write_text(MODEL_CONFIG.format(root=root))
    (root / "tensorgate.toml").write_text(PINNED)
    flags = ("--model_config_file=models.conf", "--rest_api_port=0")
    async with running(TENSORFLOW, "serve", *flags, cwd=tmp_path) as server:
        assert len(server.lines) <= MOST_LINES, server.lines
        assert "on cpu:0, cpu:1" in server.lines[0]
        assert any(line.startswith("Serving half v1, text v1") for line in server.lines)
        assert await run_in_bash(server.lines[-1]) == {"predictions": [2.5, 3.0, 4.5]}
        status, body = await fetch(server.port, "/readyz")
        reason = "incomplete: saved_model.pb is missing"
        assert (status, json.loads(body)["models"]) == (503, {"broken": reason})
        _, metrics = await fetch(server.port, "/metrics")
        busy = dict(
            line.removeprefix("tensorgate_device_busy_seconds_total").split()
            for line in metrics.decode().splitlines()
            if line.startswith("tensorgate_device_busy_seconds_total")
        )
        assert float(busy['{device="cpu:1"}']) > 0 == float(busy['{device="cpu:0"}'])


@pytest.mark.tf
@pytest.mark.parametrize(
    ("exporter", "expected"),
    [
        (saved_models.half_plus_two, {"predictions": [2.5, 3.0, 4.5]}),
        (
            saved_models.several_inputs_and_outputs,
            {"outputs": {"doubled": [[2, 2]], "tag": ["<text 1>"], "total": [3.0]}},
        ),
        (
            saved_models.strings,
            {
                "predictions": [
                    {"length": 6, "upper": upper} for upper in ("TEXT 1", "TEXT 2", "TEXT 5")
                ]
            },
        ),
        (saved_models.every_dtype, {"predictions": [True, True, True]}),
        (saved_models.scalar_output, {"outputs": 2.6666667}),
        (saved_models.variable_length, {"outputs": {"doubled": [[2.0]], "total": [1.0]}}),
        (saved_models.with_default, {"outputs": [2.0]}),
        (saved_models.counter, {"predictions": [0, 0, 0]}),
    ],
)
async def test_the_printed_command_works_as_it_stands(
    repository: Repository,
    tensorflow_backend: TensorFlowBackend,
    exporter: Exporter,
    expected: object,
) -> None:
    root = repository(m=exporter)
    tables = {"m": {"base_path": str(root / "m")}}
    settings = Settings.model_validate({"models": tables, "warmup": False})
    async with serving(settings, tensorflow_backend) as client:
        servable = client.gateway.registry.resolve("m")
        assert await run_in_bash(await curl_line(servable, client.url)) == expected


@pytest.mark.parametrize("name", ["it's", "mein modell", "a&b;c", "größe", "100%"])
async def test_the_printed_command_for_odd_names(tmp_path: Path, name: str) -> None:
    folders(tmp_path, "double/1")
    flags = (f"--model_name={name}", "--model_base_path=double", "--rest_api_port=0")
    async with running(FAKE, "serve", *flags, cwd=tmp_path) as server:
        assert await run_in_bash(server.lines[-1]) == {"predictions": [2.0, 4.0, 10.0]}


async def test_tensorflow_serving_s_environment(tmp_path: Path) -> None:
    folders(tmp_path, "models/double/1")
    environment = {"MODEL_NAME": "double", "MODEL_BASE_PATH": str(tmp_path / "models")}
    flags = ("serve", "--rest_api_port=0")
    async with running(FAKE, *flags, cwd=tmp_path, environment=environment) as server:
        assert await run_in_bash(server.lines[-1]) == {"predictions": [2.0, 4.0, 10.0]}
        assert len(server.lines) <= MOST_LINES


async def test_flags_without_a_command_are_those_of_serve(tmp_path: Path) -> None:
    folders(tmp_path, "double/1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ("--model-base-path", "double", "--rest-api-port", "0", "--port", str(port))
    async with running(FAKE, *flags, cwd=tmp_path) as server:
        assert len(server.lines) <= MOST_LINES
        assert f"gRPC on localhost:{port}" in server.lines
        assert (await fetch(server.port, "/v1/models/default"))[0] == 200
