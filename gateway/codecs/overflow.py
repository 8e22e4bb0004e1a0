"""Numbers beyond float32 silently become infinite, as in TF Serving."""

from __future__ import annotations

import contextvars
import threading

import numpy as np


class _OverflowAllowed(threading.local):
    """Runs numpy calls in which a number beyond float32 silently becomes infinite.

    Much cheaper than ``np.errstate``. One context a thread: a context cannot be entered twice
    at a time, and numpy lets go of the GIL in between.
    """

    def __init__(self) -> None:
        context = contextvars.Context()
        context.run(np.seterr, over="ignore")
        self.run = context.run


overflow_allowed = _OverflowAllowed()
