"""Keeping what native libraries write to standard error off the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Drop what is written to file descriptor 2, by whatever language; show it if the body raises.

    Process-wide: other threads' lines go the same way.
    """
    try:
        original = os.dup(_STDERR)
    except OSError:  # closed: nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as sink:
        _redirect(sink.fileno())
        try:
            yield
        except BaseException:
            _redirect(original)
            sink.seek(0)
            os.write(original, sink.read())
            raise
        finally:
            _redirect(original)
            os.close(original)


def _redirect(target: int) -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
    os.dup2(target, _STDERR)
