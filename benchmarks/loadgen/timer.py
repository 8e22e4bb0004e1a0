"""A timer finer than the event loop's millisecond (Linux, timerfd_create(2))."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_libc = ctypes.CDLL(None, use_errno=True)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class PreciseTimer:
    """Calls back on the running loop, once per ``arm``, within some ten microseconds.

    Seconds are those of ``time.monotonic()``, which is CLOCK_MONOTONIC on Linux.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._descriptor = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop.add_reader(self._descriptor, self._fired)

    def arm(self, when: float) -> None:
        """Call back at the second ``when``, at once if it has passed. Replaces the last call."""
        whole, part = divmod(max(when, 1e-9), 1.0)
        spec = _TimerSpec(_TimeSpec(0, 0), _TimeSpec(int(whole), max(1, int(part * 1e9))))
        if _libc.timerfd_settime(self._descriptor, _ABSOLUTE, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _fired(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            # Armed anew between its expiry and this call.
            return
        self._callback()
