"""A server that cannot serve says why in one line and ends with a code of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.gateway.processes import FAKE, run_to_end
from tests.gateway.serving import folders


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    folders(tmp_path, "double/1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        flags = ("--model_base_path=double", f"--rest_api_port={port}", "--host=127.0.0.1")
        code, lines = await run_to_end(FAKE, "serve", *flags, cwd=tmp_path)
    assert (code, lines) == (5, [f"tensorgate: port {port} of 127.0.0.1 is in use"])


async def test_an_address_of_another_host(tmp_path: Path) -> None:
    folders(tmp_path, "double/1")
    flags = ("--model_base_path=double", "--rest_api_port=0", "--host=192.0.2.1")
    code, lines = await run_to_end(FAKE, "serve", *flags, cwd=tmp_path)
    assert (code, len(lines)) == (5, 1)
    assert lines[0].startswith("tensorgate: cannot listen on 192.0.2.1: ")


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("broken/1", "its saved_model.pb is damaged"),
        ("broken/no number", "the base path holds no numbered version folder"),
        ("other/1", "the base path cannot be read: No such file or directory"),
    ],
)
async def test_no_model_that_loads(tmp_path: Path, folder: str, reason: str) -> None:
    folders(tmp_path, folder)
    flags = ("--model_name=m", "--model_base_path=broken", "--rest_api_port=0")
    code, lines = await run_to_end(FAKE, "serve", *flags, cwd=tmp_path)
    assert (code, lines[-1]) == (4, f"tensorgate: model m: {reason}")
    assert not any("Traceback" in line or str(tmp_path) in line for line in lines)


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ((), "no model to serve"),
        (("--model_base_path=double", "--max_batch_size=0"), "max_batch_size"),
        (("--model_base_path=double", "--port=8501", "--rest_api_port=8501"), "port = 8501"),
        (("--model_base_path=double", "--config=nowhere.toml"), "nowhere.toml"),
        (("--model_config_file=nowhere.conf",), "nowhere.conf"),
        (("--model_base_path=double", "--allowed_batch_sizes=4,8"), "allowed_batch_sizes"),
        (("--model_base_path=double", "--devices=gpu:9", "--rest_api_port=0"), "gpu:9 not found"),
    ],
)
async def test_a_configuration_that_cannot_hold(
    tmp_path: Path, flags: tuple[str, ...], part: str
) -> None:
    folders(tmp_path, "double/1")
    code, lines = await run_to_end(FAKE, "serve", *flags, cwd=tmp_path)
    assert (code, len(lines)) == (3, 1)
    assert lines[0].startswith("tensorgate: ")
    assert part in lines[0]


async def test_a_flag_that_does_not_exist(tmp_path: Path) -> None:
    code, lines = await run_to_end(FAKE, "serve", "--max_bach_size=3", cwd=tmp_path)
    assert code == 2
    assert "max_batch_size" in lines[-1]
