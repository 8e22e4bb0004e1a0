"""How soon the kernel runs a thread that wakes up while others keep every core busy."""

from __future__ import annotations

import ctypes
import logging
import os
import platform

logger = logging.getLogger(__name__)

SLICE_NANOSECONDS = 100_000
"""The least that Linux accepts."""

_SYSCALL_NUMBERS = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""sched_setattr, which C libraries have had since 2025 only."""
_RESET_ON_FORK = 1


class _Attributes(ctypes.Structure):
    """struct sched_attr (sched_setattr(2))."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def ask_for_short_time_slices() -> bool:
    """Let the calling thread run soon when it wakes up, at the price of shorter turns; its share of
    the processor stays what it was. Threads that it starts later are not affected.

    Needs no privilege, and Linux 6.12 to have an effect: a device thread that computes on the same
    core then gives way at once instead of after its slice of 1 to 4 ms. Returns whether the kernel
    agreed.
    """
    number = _SYSCALL_NUMBERS.get(platform.machine())
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    if number is None or policy != os.SCHED_OTHER:
        return False
    wanted = _Attributes(
        size=ctypes.sizeof(_Attributes),
        flags=_RESET_ON_FORK,
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        runtime=SLICE_NANOSECONDS,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, ctypes.byref(wanted), 0) == 0:
        return True
    logger.debug("no short time slices", extra={"reason": os.strerror(ctypes.get_errno())})
    return False
