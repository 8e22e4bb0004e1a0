"""What the README shows runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = (ROOT / "README.md", ROOT / "docs" / "versions.md")


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


def _tables() -> list[str]:
    pages = [page.read_text() for page in PAGES]
    return [block for page in pages for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]


@pytest.mark.parametrize("block", _tables())
def test_every_toml_example_is_accepted(block: str, tmp_path: Path) -> None:
    from gateway.config import load

    given = {}
    for name, table in tomllib.loads(block)["models"].items():
        prefix = f"GATEWAY_MODEL__{name.upper()}__"
        # An example shows one part: what it leaves out comes from here.
        if "base_path" not in table:
            given[prefix + "BASE_PATH"] = "/models/elsewhere"
        if "model_version_policy" not in table:
            given[prefix + "MODEL_VERSION_POLICY"] = "all"
    (tmp_path / "tensorgate.toml").write_text(block)
    settings = load({}, given, tmp_path).settings
    assert set(settings.model_names()) == tomllib.loads(block)["models"].keys()


def test_the_links_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "docs" / "differences-from-tensorflow-serving.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
