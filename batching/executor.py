"""Where batches run: one dedicated thread per device."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

logger = logging.getLogger(__name__)

Job = Callable[[], Any]
Done = Callable[[Any, BaseException | None], None]
"""Called once on the event loop with the job's result, or with what it raised."""


class Executor(Protocol):
    """Runs one job at a time. A pool hands it the next one only when the last one is done."""

    @property
    def name(self) -> str: ...

    def execute(self, job: Job, done: Done) -> None:
        """Run ``job`` and report to ``done`` on the event loop. Never raises, never blocks."""

    def close(self) -> None:
        """Take no more jobs. A running one is not waited for: nothing can stop a hung device."""


class DeviceThread:
    """One named daemon thread that runs what it is given, in order.

    Crossing back to the loop costs one ``call_soon_threadsafe`` a job. References to a job are
    dropped before the next is awaited, so its arrays do not live until then.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._name = name
        self._loop = loop or asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"device {name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "running" if self._thread.is_alive() else "stopped"
        return f"<DeviceThread {self._name} {state}>"

    @property
    def name(self) -> str:
        return self._name

    def execute(self, job: Job, done: Done) -> None:
        self._jobs.put((job, done))

    def close(self) -> None:
        self._jobs.put(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end after ``close``; False when a job still holds it."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            job, done = work
            result: Any = None
            error: BaseException | None = None
            try:
                result = job()
            except BaseException as raised:  # noqa: BLE001 - reported to the loop; the thread lives on
                error = raised
            self._report(done, result, error)
            del work, job, done, result, error

    def _report(self, done: Done, result: Any, error: BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(done, result, error)
        except RuntimeError:
            # The loop was closed while the job ran; nobody is left to hear of it.
            logger.debug("device %s: result dropped, the event loop is closed", self._name)


class InlineExecutor:
    """Runs jobs on the event loop itself, for functions that take microseconds.

    The loop stands still meanwhile; in exchange there is no thread to hand over to.
    """

    def __init__(self, name: str = "inline", loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._name = name
        self._loop = loop or asyncio.get_running_loop()

    @property
    def name(self) -> str:
        return self._name

    def execute(self, job: Job, done: Done) -> None:
        try:
            result = job()
        except BaseException as error:  # noqa: BLE001 - reported, as a device thread does
            self._loop.call_soon(done, None, error)
        else:
            self._loop.call_soon(done, result, None)

    def close(self) -> None:
        """Nothing to stop."""
