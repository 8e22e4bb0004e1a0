"""What may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import batching

ROOT = Path(batching.__file__).parent.parent
DYNAMIC = {"import_module", "__import__", "reload"}


def imported(source: str) -> Iterator[str]:
    """Absolute names of all modules that a source imports, wherever and however."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name),
                args=[ast.Constant(value=str(module)), *_],
            ) if name in DYNAMIC:
                yield module  # fmt: skip


def packages(path: Path) -> set[str]:
    """First names of what a file imports."""
    return {name.partition(".")[0] for name in imported(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    "source",
    [
        "import tensorflow",
        "import tensorflow as tf",
        "import os, tensorflow.compat.v1 as tf",
        "from tensorflow import nest",
        "from tensorflow.python.client import session",
        "def load():\n    import tensorflow",
        "if TYPE_CHECKING:\n    import tensorflow",
        "importlib.import_module('tensorflow')",
        "import_module('tensorflow.compat', package=None)",
        "__import__('tensorflow')",
    ],
)
def test_an_import_is_found_in_any_form(source: str) -> None:
    assert "tensorflow" in {name.partition(".")[0] for name in imported(source)}


@pytest.mark.parametrize(
    "source", ["import tensorflow_other", "from .tensorflow import x", "x = 'import tensorflow'"]
)
def test_other_imports_are_not_taken_for_it(source: str) -> None:
    assert "tensorflow" not in {name.partition(".")[0] for name in imported(source)}


def test_only_one_file_imports_tensorflow() -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for package in ("gateway", "batching")
        for path in (ROOT / package).rglob("*.py")
        if "tensorflow" in packages(path)
    }
    assert importers <= {"gateway/backends/tensorflow.py"}


def test_batching_imports_the_standard_library_numpy_and_itself() -> None:
    allowed = {"batching", "numpy"} | sys.stdlib_module_names
    paths = list((ROOT / "batching").rglob("*.py"))
    assert len(paths) > 10
    strangers = {path.name: packages(path) - allowed for path in paths}
    assert not any(strangers.values()), strangers


def test_a_fresh_interpreter_loads_nothing_of_the_gateway_s_for_batching() -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import batching, batching.testing\n"
    script += "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    modules = set(loaded.stdout.split())
    assert {"batching", "numpy", "asyncio"} <= modules
    forbidden = {"aiohttp", "tensorflow", "gateway", "prometheus_client", "orjson", "pydantic"}
    assert not modules & forbidden


WAITING = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)


DECIDING = ["queue", "priority", "lane", "forming", "lengths", "sizing", "latency", "deadlines"]


@pytest.mark.parametrize("name", [f"{name}.py" for name in DECIDING])
def test_decisions_are_made_without_waiting_or_looking_at_a_clock(name: str) -> None:
    path = ROOT / "batching" / name
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    assert not [node for node in nodes if isinstance(node, WAITING)]
    assert not packages(path) & {"asyncio", "threading", "time"}


def test_nothing_in_batching_sleeps() -> None:
    for path in (ROOT / "batching").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.Attribute) and node.attr == "sleep"), path
