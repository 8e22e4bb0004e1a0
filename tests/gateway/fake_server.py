"""``python -m tests.gateway.fake_server``: the command line as it is, on a fake backend.

The folder of a base path chooses the model, whatever its name is.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import gateway.server
import gateway.supervisor.supervisor
from gateway.backends.base import Backend, Tensors
from gateway.cli import main
from gateway.config.settings import Settings
from gateway.errors import Code, ServingError
from tests.gateway.fake_backend import (
    Content,
    FakeBackend,
    FakeModel,
    FakeSignature,
    Outputs,
    double,
    spec,
)

HANGS_FROM = 1000


def _work_a_little(inputs: Tensors) -> Outputs:
    time.sleep(0.02)
    return double(inputs)


def _hang(inputs: Tensors) -> Outputs:
    """Never answers, unless every x is below ``HANGS_FROM``."""
    if (inputs["x"] >= HANGS_FROM).any():
        threading.Event().wait()
    return double(inputs)


def _stick(inputs: Tensors) -> Outputs:
    threading.Event().wait()
    raise AssertionError("nobody sets it")


def _wide(inputs: Tensors) -> Outputs:
    """100,000 numbers a row: an answer that no socket buffer holds."""
    return {"y": inputs["x"][:, None].repeat(100_000, axis=1)}


CONTENTS: dict[str, Content] = {
    "double": FakeSignature(double),
    "busy": FakeSignature(_work_a_little),
    "hanging": FakeSignature(_hang),
    "stuck": FakeSignature(_stick),
    "wide": FakeSignature(_wide, outputs={"y": spec("y", "float32", 100_000)}),
    "broken": ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged"),
    "unloadable": FakeSignature(double),
}


class _Backend(FakeBackend):
    def load(self, path: Path, devices: object, *, xla: bool = False) -> FakeModel:
        if path.parent.name == "unloadable":  # a load that takes for ever
            threading.Event().wait()
        return super().load(path, ())


def load_backend(settings: Settings) -> Backend:
    """In the place of ``gateway.server``'s."""
    return _Backend(CONTENTS, ("cpu:0", "cpu:1"))


if __name__ == "__main__":
    gateway.server._load_backend = load_backend
    gateway.supervisor.supervisor.ENGINE_MODULE = "tests.gateway.fake_engine"
    main()
