"""What the README shows runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def _block(language: str, after: str = "") -> str:
    start = README.index(after) if after else 0
    match = re.compile(rf"```{language}\n(.*?)```", re.DOTALL).search(README, start)
    assert match is not None
    return match.group(1)


def test_the_batching_snippet_prints_what_the_readme_says() -> None:
    snippet = _block("python", "<!-- test: batching alone -->")
    promised = re.search(r"prints `(.*?)`", README)
    assert promised is not None
    lines = [line for line in snippet.splitlines() if line.strip()]
    assert len(lines) <= 15
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", snippet],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == promised.group(1)


def test_the_toml_example_is_accepted(tmp_path: Path) -> None:
    from gateway.config import load

    file = tmp_path / "tensorgate.toml"
    file.write_text(_block("toml"))
    assert "models" in tomllib.loads(file.read_text())
    settings = load({}, {}, tmp_path).settings
    assert settings.for_model("embedder").max_batch_size == 16
    assert settings.for_model("recommender").batching == "off"
    assert settings.for_model("recommender").max_batch_size == 32
