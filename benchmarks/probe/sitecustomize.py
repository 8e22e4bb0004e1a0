"""Watches a server from inside: how late its event loop is, and how long collections stop it.

Python imports this by itself in every process that has this folder on its path and ``PROBE_FOLDER``
set, so that it sees all processes of a server and changes nothing of its code. SIGUSR1 forgets what
was seen, SIGUSR2 writes it to ``PROBE_FOLDER/PID.json``.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import time
from array import array
from pathlib import Path
from typing import Any

INTERVAL_SECONDS = 0.005


class Probe:
    """What was seen in this process."""

    def __init__(self) -> None:
        self.lags = array("d")
        self.pauses: dict[int, float] = {}
        """The longest collection by generation, in seconds."""
        self._started = 0.0

    def forget(self, *_: Any) -> None:
        self.lags = array("d")
        self.pauses = {}

    def write(self, *_: Any) -> None:
        seen = {"lags": list(self.lags), "pauses": self.pauses}
        path = Path(os.environ["PROBE_FOLDER"]) / f"{os.getpid()}.json"
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(seen))
        unfinished.rename(path)

    def collected(self, phase: str, details: dict[str, int]) -> None:
        """For ``gc.callbacks``."""
        if phase == "start":
            self._started = time.perf_counter()
            return
        took = time.perf_counter() - self._started
        generation = details["generation"]
        self.pauses[generation] = max(took, self.pauses.get(generation, 0.0))

    def watch(self, loop: Any) -> None:
        """Ask the loop to be called at given times from now on. Runs on the loop."""
        from benchmarks.loadgen.timer import PreciseTimer

        due = 0.0

        def called() -> None:
            nonlocal due
            now = time.monotonic()
            self.lags.append(now - due)
            due = now + INTERVAL_SECONDS
            timer.arm(due)

        timer = PreciseTimer(called)
        due = time.monotonic() + INTERVAL_SECONDS
        timer.arm(due)


def install() -> None:
    import uvloop

    probe = Probe()
    gc.callbacks.append(probe.collected)
    signal.signal(signal.SIGUSR1, probe.forget)
    signal.signal(signal.SIGUSR2, probe.write)
    make = uvloop.new_event_loop

    def new_event_loop() -> Any:
        loop = make()
        loop.call_soon(probe.watch, loop)
        return loop

    uvloop.new_event_loop = new_event_loop


if os.environ.get("PROBE_FOLDER"):
    install()
