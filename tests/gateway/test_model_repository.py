"""How a server with a model repository starts, or does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway.processes import FAKE, fetch, run_to_end, running
from tests.gateway.serving import folders

FLAGS = ("--model-repository=.", "--rest_api_port=0")


def put(root: Path, **configs: str) -> None:
    """Model folders with one version and a config.pbtxt."""
    for name, config in configs.items():
        folders(root, f"{name}/1")
        (root / name / "config.pbtxt").write_text(config)


async def test_a_broken_model_beside_a_good_one(tmp_path: Path) -> None:
    put(tmp_path, double="", broken="", hanging="max_batch_size: -1")
    async with running(FAKE, *FLAGS, cwd=tmp_path) as server:
        status, body = await fetch(server.port, "/readyz")
        assert status == 503
        assert b"its saved_model.pb is damaged" in body
        assert b"max_batch_size must not be negative" in body
        assert any(line.startswith("Serving double v1") for line in server.lines)


async def test_readiness_without_strictness(tmp_path: Path) -> None:
    put(tmp_path, double="", broken="")
    async with running(FAKE, *FLAGS, "--strict-readiness=false", cwd=tmp_path) as server:
        assert (await fetch(server.port, "/readyz"))[0] == 200


async def test_models_of_other_frameworks_keep_nobody_waiting(tmp_path: Path) -> None:
    put(tmp_path, double="", other='platform: "onnxruntime_onnx"')
    async with running(FAKE, *FLAGS, "--exit-on-error", cwd=tmp_path) as server:
        assert (await fetch(server.port, "/readyz"))[0] == 200


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("", "its saved_model.pb is damaged"),
        ("max_batch_size: -1", "config.pbtxt, line 1, column 1: max_batch_size must not be"),
    ],
)
async def test_an_error_that_ends_it(tmp_path: Path, config: str, reason: str) -> None:
    put(tmp_path, double="", broken=config)
    code, lines = await run_to_end(FAKE, *FLAGS, "--exit-on-error=true", cwd=tmp_path)
    assert code == 4
    assert lines[-1].startswith(f"tensorgate: model broken: {reason}")


async def test_nothing_that_can_be_served(tmp_path: Path) -> None:
    put(tmp_path, other='platform: "onnxruntime_onnx"')
    code, lines = await run_to_end(FAKE, *FLAGS, cwd=tmp_path)
    assert code == 4
    assert 'model other: platform "onnxruntime_onnx" is not served' in lines[-1]


async def test_in_explicit_mode_others_can_be_loaded(tmp_path: Path) -> None:
    put(tmp_path, broken="")
    flags = (*FLAGS, "--model-control-mode=explicit", "--load-model=broken")
    async with running(FAKE, *flags, cwd=tmp_path, wait_for="REST on") as server:
        assert (await fetch(server.port, "/livez"))[0] == 200


async def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    code, lines = await run_to_end(FAKE, "--model-repository=missing", cwd=tmp_path)
    assert code == 3
    assert lines == [
        "tensorgate: the model repository missing cannot be read: No such file or directory"
    ]
