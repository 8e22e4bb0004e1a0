"""TensorFlow is imported in one place, when it is needed, and keeps quiet and alive."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gateway
from tests import saved_models
from tests.backends.conftest import Export

PACKAGE = Path(gateway.__file__).parent


def imported_modules(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return names


def test_one_module_imports_tensorflow() -> None:
    importers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if any(name.partition(".")[0] == "tensorflow" for name in imported_modules(file))
    }
    assert importers == {"backends/tensorflow.py"}


def python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        timeout=100,
        check=False,
    )


def test_importing_the_backend_does_not_import_tensorflow() -> None:
    finished = python(
        "import sys, gateway.backends.tensorflow, gateway.models.warmup, gateway.demo;"
        "print('tensorflow' in sys.modules)"
    )
    assert (finished.stdout, finished.stderr) == ("False\n", "")


LOAD_AND_RUN_A_BATCH = """
import logging, sys
from pathlib import Path
import numpy as np
from gateway.backends.tensorflow import TensorFlowBackend

logging.basicConfig(level=logging.WARNING)
backend = TensorFlowBackend()
model = backend.load(Path(sys.argv[1]), backend.devices())
run = model.runner("serving_default", "cpu:0")
x = np.random.default_rng(1).random((5, 1, 130, 8), np.float32)
np.testing.assert_allclose(run({"x": x})["y"], np.repeat(x.sum(-1)[..., None], 4, -1), rtol=1e-5)
model.close()
"""


@pytest.mark.tf
def test_a_process_that_serves_prints_nothing_and_survives_the_onednn_defect(
    export: Export,
) -> None:
    finished = python(LOAD_AND_RUN_A_BATCH, export(saved_models.broadcast_matmul))
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


NOISY = """
import os
from gateway.backends.standard_error import quiet_standard_error

{before}
with quiet_standard_error():
    os.write(2, b"noise\\n")
    {body}
os.write(2, b"after\\n")
"""


def test_what_is_written_to_standard_error_is_dropped() -> None:
    assert python(NOISY.format(before="", body="pass")).stderr == "after\n"


def test_it_is_shown_after_all_when_the_body_fails() -> None:
    shown = python(NOISY.format(before="", body="raise ImportError('no')")).stderr
    assert shown.startswith("noise\n")
    assert shown.endswith("ImportError: no\n")


def test_a_closed_standard_error_is_no_obstacle() -> None:
    script = NOISY.format(before="os.close(2); os.write = print", body="pass")
    assert python(script).stdout == "2 b'noise\\n'\n2 b'after\\n'\n"
