"""The command line, up to the call of the server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_fakes import Server, invoke

from gateway import __version__
from gateway.config.sections import SECTIONS
from gateway.config.tensorflow_serving import UNUSED_FLAGS

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_serve_runs_the_server_with_the_settings(server: Server) -> None:
    result = invoke("serve", "--model_base_path=/m", "--max_batch_size", "8")
    assert (result.exit_code, result.output) == (0, "")
    assert server.settings is not None
    assert server.settings.max_batch_size == 8
    assert server.settings.model_names() == ("default",)
    assert server.source is not None
    assert server.source.load().settings == server.settings


def test_the_servers_exit_code_is_ours(server: Server) -> None:
    server.exit_code = 4
    assert invoke("serve", "--model_base_path=/m").exit_code == 4


def test_the_command_line_of_tensorflow_model_server(server: Server) -> None:
    result = invoke("--port=8500", "--rest_api_port=9000", "--model_name=m", "--model_base_path=/m")
    assert result.exit_code == 0
    assert server.settings is not None
    assert (server.settings.rest_api_port, server.settings.port) == (9000, 8500)
    assert server.settings.model_names() == ("m",)
    assert result.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max_batch_size=8"],
        ["--max_batch_size", "8"],
        ["--max-batch-size=8"],
        ["--max-batch-size", "8"],
        ["--max-batch_size=4", "--max_batch_size=8"],
    ],
)
def test_spellings_of_a_flag(server: Server, arguments: list[str]) -> None:
    assert invoke("serve", "--model-base-path=/m", *arguments).exit_code == 0
    assert server.settings is not None
    assert server.settings.max_batch_size == 8


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ([], False),
        (["--server_timing"], True),
        (["--server-timing"], True),
        (["--server_timing=true"], True),
        (["--server_timing", "true"], True),
        (["--server_timing=false"], False),
    ],
)
def test_spellings_of_a_switch(server: Server, arguments: list[str], value: bool) -> None:
    assert invoke("serve", *arguments, "--model_base_path=/m").exit_code == 0
    assert server.settings is not None
    assert server.settings.server_timing is value


def test_the_environment_is_read(server: Server) -> None:
    assert invoke("serve", MODEL_NAME="m", GATEWAY_MODEL__M__MAX_BATCH_SIZE="8").exit_code == 0
    assert server.settings is not None
    assert server.settings.for_model("m").max_batch_size == 8


@pytest.mark.parametrize(
    "arguments", [["serve"], ["demo"], ["config", "show"], ["--model_base_path=/m"]]
)
def test_a_bad_configuration_is_one_line_and_exit_code_3(
    server: Server, demo_folders: list[Path], arguments: list[str]
) -> None:
    result = invoke(*arguments, "--max_batch_size=0")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        "tensorgate: max_batch_size must be at least 1, not 0 (flag --max_batch_size)\n"
    )
    assert server.settings is None


def test_nothing_to_serve_is_exit_code_3(server: Server) -> None:
    result = invoke("serve")
    assert result.exit_code == 3
    assert result.stderr.startswith("tensorgate: no model to serve")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["serve", "--max_batchsize=8"], "--max_batch_size"),
        (["--max_batchsize=8"], "--max_batch_size"),
        (["config", "show", "--hosts=x"], "--host"),
        (["serv"], "serv"),
        (["serve", "stray"], "stray"),
        (["--enable_batchin"], "--enable_batching"),
        (["serve", "--max_batch_size"], "requires an argument"),
    ],
)
def test_usage_mistakes_are_exit_code_2(server: Server, arguments: list[str], hint: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert hint in result.stderr.splitlines()[-1]
    assert server.settings is None


def test_config_show_as_text() -> None:
    result = invoke("config", "show", "--max-batch-size=8", GATEWAY_HOST="::")
    assert result.exit_code == 0
    lines = [line.split() for line in result.output.splitlines()]
    assert ["max_batch_size", "8", "flag", "--max_batch_size"] in lines
    assert ["host", '"::"', "environment", "GATEWAY_HOST"] in lines
    assert ["rest_api_port", "8501", "default"] in lines


def test_config_show_as_json() -> None:
    result = invoke("config", "show", "--json", "--model_base_path=/m", "--batching=off")
    document = json.loads(result.output)
    assert document["settings"]["batching"] == {"value": "off", "origin": "flag --batching"}
    assert document["models"]["default"]["batching"]["origin"] == "inherited, flag --batching"


def test_config_show_takes_the_toml_file(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("max_batch_size = 8")
    output = invoke("config", "show", "--config", "other.toml").output
    assert ["max_batch_size", "8", "other.toml"] in [line.split() for line in output.splitlines()]


def test_version() -> None:
    assert invoke("--version").output == f"tensorgate, version {__version__}\n"


@pytest.mark.parametrize("spelling", ["--version", "--version=true", "--version=1"])
def test_version_among_the_servers_flags(server: Server, spelling: str) -> None:
    result = invoke("--port=8500", spelling)
    assert (result.exit_code, result.output) == (0, f"tensorgate, version {__version__}\n")
    assert server.settings is None


def test_version_may_be_declined(server: Server) -> None:
    assert invoke("--version=false", "--model_base_path=/m").exit_code == 0
    assert server.settings is not None


def test_notes_are_told_once_each_on_standard_error(server: Server) -> None:
    result = invoke("--enable_profiler", "--enable_profiler=false", "--model_base_path=/m")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == (
        "note: flag --enable_profiler has no effect: TensorFlow's profiler is not served\n"
    )


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_fits_a_screen(flag: str) -> None:
    result = invoke(flag)
    assert result.exit_code == 0
    assert len(result.output.splitlines()) <= 24
    assert max(map(len, result.output.splitlines())) <= 80
    assert "Commands:" in result.output


def test_help_of_serve_has_every_flag_under_its_heading() -> None:
    output = invoke("serve", "--help").output
    position = 0
    without_effect = ("TensorFlow Serving's flags without effect here", UNUSED_FLAGS)
    for heading, names in (*SECTIONS.items(), without_effect):
        for text in (f"\n{heading}:\n", *(f"\n  --{name} " for name in names)):
            assert output.find(text, position) >= 0, text
            position = output.find(text, position)
    assert "[default: 8501]" in output
    assert "--config FILE" in output


def test_an_interrupt_while_configuring_is_no_traceback(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.cli.ConfigSource.load", interrupted)
    result = invoke("serve")
    assert result.exit_code == 1
    assert result.stderr.strip() == "Aborted!"


def test_the_module_is_the_command_and_needs_neither_tensorflow_nor_aiohttp(
    tmp_path: Path,
) -> None:
    code = (
        "import runpy, sys, atexit\n"
        "heavy = {'tensorflow', 'aiohttp', 'numpy', 'google'}\n"
        "atexit.register(lambda: print('imported', sorted(heavy & sys.modules.keys())))\n"
        "sys.argv = ['tensorgate', 'config', 'show']\n"
        "runpy.run_module('gateway', run_name='__main__')\n"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.startswith("SETTING")
    assert result.stdout.splitlines()[-1] == "imported []"
