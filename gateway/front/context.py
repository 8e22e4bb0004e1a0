"""What the requests of all connections of a front share."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from gateway.front.engine import Engine
from gateway.http.hot.answers import AnswerWriter
from gateway.http.hot.hold import Hold


@dataclass(slots=True)
class FrontContext:
    """Of one process."""

    engine: Engine
    answers: AnswerWriter
    hold: Hold
    codec: Executor
    """Reads and writes what is large."""
    always_timing: bool
    draining: bool = False
    """Answers ask clients to close their connection."""
    in_flight: int = 0
    """Requests between their head and their answer, but for those of relayed connections."""
