"""``python -m tests.gateway.fake_engine``: an engine on a fake backend, for a supervisor."""

from __future__ import annotations

import gateway.server
from gateway.engine.process import run
from gateway.lifeline import Lifeline
from tests.gateway.fake_server import load_backend

if __name__ == "__main__":
    gateway.server._load_backend = load_backend
    run(Lifeline())
