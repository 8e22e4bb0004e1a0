"""`tensorgate demo`: serve, with a model that is made on first use."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_fakes import Server, invoke

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_demo_serves_the_demo_model(
    server: Server, demo_folders: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "tensorgate.toml").write_text("model_config_file = 'missing.conf'")
    result = invoke("demo", "--demo-dir=kept", "--rest_api_port=0")
    assert (result.exit_code, result.output) == (0, "")
    assert server.settings is not None
    assert server.settings.rest_api_port == 0
    assert server.settings.for_model("demo").base_path == tmp_path / "kept" / "demo"
    assert demo_folders == [Path("kept")]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/tensorgate/demo-models"),
        ({"HOME": "/home/me"}, "/home/me/.cache/tensorgate/demo-models"),
        (
            {"HOME": "/home/me", "XDG_CACHE_HOME": "relative"},
            "/home/me/.cache/tensorgate/demo-models",
        ),
    ],
)
def test_where_the_demo_model_is_kept(
    server: Server,
    demo_folders: list[Path],
    environment: dict[str, str],
    folder: str,
) -> None:
    assert invoke("demo", **environment).exit_code == 0
    assert demo_folders == [Path(folder)]


def test_a_demo_folder_that_cannot_be_written(server: Server, demo_folders: list[Path]) -> None:
    result = invoke("demo", "--demo_dir=readonly")
    assert result.exit_code == 3
    assert result.stderr == (
        "tensorgate: the demo model cannot be kept in readonly: Permission denied\n"
    )


def test_the_demo_has_no_model_flags() -> None:
    assert invoke("demo", "--model_name=m").exit_code == 2
