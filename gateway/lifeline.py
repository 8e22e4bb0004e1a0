"""A child process's tie to its supervisor: orders and reports, and a quick end when that is gone.

Both ends are those of one socket pair; each message is a line of JSON. As long as the supervisor
lives its end is open, so the end of the stream means that the child must not live on.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

VARIABLE = "TENSORGATE_LIFELINE"
"""Environment variable with the number of the child's file descriptor."""
EXIT_ORPHANED = 70

_PR_SET_PDEATHSIG = 1
_MAX_MESSAGE_BYTES = 1 << 24


def encode(message: dict[str, Any]) -> bytes:
    """A message as it is sent."""
    return orjson.dumps(message) + b"\n"


class Lifeline:
    """The child's end. Make it first of all, before anything slow is imported."""

    def __init__(self) -> None:
        """Ignores the signals that reach every process of a terminal or a service at once: the
        supervisor has them too, and says what to do about them, in order."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _die_with_parent()
        self._socket = socket.socket(fileno=int(os.environ.pop(VARIABLE)))
        self._received = b""
        self.start = self._first_message()
        """The supervisor's first message: what this process is to do."""

    def follow(self, order: Callable[[dict[str, Any]], None]) -> None:
        """Let ``order`` have every message from now on, on the running event loop. When the
        supervisor is gone the process ends at once."""
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()

        def readable() -> None:
            if not self._receive():
                os._exit(EXIT_ORPHANED)
            while (message := self._next_message()) is not None:
                order(message)

        loop.add_reader(self._socket.fileno(), readable)
        loop.call_soon(readable)

    def tell(self, message: dict[str, Any]) -> None:
        """Report to the supervisor: short and seldom."""
        with suppress(OSError):  # it is gone, which ``follow`` sees
            self._socket.sendall(encode(message))

    def _first_message(self) -> dict[str, Any]:
        while (message := self._next_message()) is None:
            if not self._receive():
                sys.exit(EXIT_ORPHANED)
        return message

    def _receive(self) -> bool:
        """Whether the supervisor is still there."""
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._received += data
        return bool(data) and len(self._received) <= _MAX_MESSAGE_BYTES

    def _next_message(self) -> dict[str, Any] | None:
        line, end, rest = self._received.partition(b"\n")
        if not end:
            return None
        self._received = rest
        message: dict[str, Any] = orjson.loads(line)
        return message


def _die_with_parent() -> None:
    """Be killed with the supervisor even when the event loop hangs (Linux, prctl)."""
    parent = os.getppid()
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (AttributeError, OSError):
        return
    if os.getppid() != parent:  # it died in between
        os._exit(EXIT_ORPHANED)
