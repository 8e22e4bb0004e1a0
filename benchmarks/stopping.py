"""SIGTERM ends a benchmark as Ctrl-C does: the servers that it started are stopped first."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_INTERRUPTED = 128 + signal.SIGINT


def exit_on_sigterm() -> None:
    """Raise SystemExit at SIGTERM while no event loop runs."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))


async def cancelled_by_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work``; SIGTERM cancels it. An exception raised by a signal's handler would end in
    whichever callback of the loop is running."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None, "in a coroutine"
    before = signal.getsignal(signal.SIGTERM)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await work
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
