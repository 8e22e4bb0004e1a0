"""Structured logs: one JSON object a line, or a short line for a person at a terminal.

Formatting and writing happen on a listener thread, never on the event loop.
"""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any

import orjson

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """``ts``, ``level``, ``logger``, ``event`` and whatever was passed in ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _PLAIN)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class ConsoleFormatter(logging.Formatter):
    """``LEVEL event key=value``; control characters from elsewhere cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = (f" {k}={v}" for k, v in vars(record).items() if k not in _PLAIN)
        text = f"{record.levelname.lower()}: {record.getMessage()}{''.join(fields)}"
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _PassThrough(QueueHandler):
    """Hands records over as they are: the listener runs in this process."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


def configure(level: str, form: str) -> Callable[[], None]:
    """Send all logging to standard error; returns what flushes it before the process ends.

    ``form`` is json, console, or auto: console when standard error is a terminal.
    """
    handler = logging.StreamHandler(sys.stderr)
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(ConsoleFormatter() if console else JsonFormatter())
    queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
    listener = QueueListener(queue, handler)
    listener.start()
    logging.basicConfig(level=level.upper(), handlers=[_PassThrough(queue)], force=True)
    for noisy in ("aiohttp", "asyncio", "tensorflow", "absl", "grpc"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            listener.stop()

    atexit.register(stop)
    return stop
