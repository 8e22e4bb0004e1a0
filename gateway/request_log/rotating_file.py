"""An append-only file that is rotated by size, and survives full disks and crashes."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, islice, takewhile
from pathlib import Path

logger = logging.getLogger(__name__)

_PRIVATE = 0o600

Intact = Callable[[int, int], int | None]
"""From a descriptor and the file's size to the length of its part that holds complete records;
None when no such part can be told."""


class RotatingFile:
    """FILE, FILE.1 (newer) to FILE.(max_files - 1) (oldest). No record is split over two.

    Every call needs the same thread. Nothing is open before the first append.
    """

    def __init__(self, path: Path, intact: Intact, max_bytes: int, max_files: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        """A file is larger only when its single record is."""
        self.max_files = max_files
        self._intact = intact
        self._descriptor: int | None = None

    def append(self, records: deque[bytes]) -> None:
        """Write ``records``; those that are written are removed from the left.

        Raises OSError. What was written of a record by then is cut off again.
        """
        while records:
            descriptor = self._ready()
            size = os.fstat(descriptor).st_size
            fitting = self._fitting(records, size)
            if fitting:
                self._write(descriptor, size, records, fitting)
            else:
                self._rotate()

    def close(self) -> None:
        """Close the file; the next append opens it again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _fitting(self, records: deque[bytes], size: int) -> int:
        """How many records may go into a file of ``size`` bytes; at least one into an empty one."""
        ends = accumulate(map(len, records), initial=size)
        within = takewhile(lambda end: end <= self.max_bytes, islice(ends, 1, None))
        return sum(1 for _ in within) or int(size == 0)

    def _write(self, descriptor: int, size: int, records: deque[bytes], count: int) -> None:
        data = memoryview(b"".join(islice(records, count)))
        sent = 0
        try:
            while sent < len(data):
                sent += os.write(descriptor, data[sent:])
        except OSError:
            self._cut(descriptor, size + _remove_written(records, sent))
            raise
        _remove_written(records, sent)

    def _cut(self, descriptor: int, size: int) -> None:
        try:
            os.ftruncate(descriptor, size)
        except OSError:
            # The next append opens the file anew, and cuts off what is torn then.
            self.close()

    def _ready(self) -> int:
        """The descriptor of the file that has our name now: it may have been moved or removed."""
        if self._descriptor is not None and not self._is_in_place(self._descriptor):
            self.close()
        if self._descriptor is None:
            self._descriptor = self._open()
        return self._descriptor

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        descriptor = open_for_append(self.path)
        try:
            if self._repair(descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        self._rotate()
        return open_for_append(self.path)

    def _repair(self, descriptor: int) -> bool:
        """Cut off a record that a crash left incomplete; False when that cannot help."""
        size = os.fstat(descriptor).st_size
        intact = self._intact(descriptor, size)
        if intact is None:
            logger.warning("request log damaged, put aside", extra={"file": str(self.path)})
            return False
        if intact < size:
            os.ftruncate(descriptor, intact)
            logger.warning(
                "request log ended in an incomplete record, cut off",
                extra={"file": str(self.path), "bytes": size - intact},
            )
        return True

    def _rotate(self) -> None:
        self.close()
        if self.max_files == 1:
            self.path.unlink(missing_ok=True)
        for number in range(self.max_files - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


def open_for_append(path: Path) -> int:
    """A descriptor of ``path``, readable too. Makes the file, for its owner only, and its folder.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)


def _remove_written(records: deque[bytes], sent: int) -> int:
    """Remove the records that ``sent`` bytes hold as a whole; returns their length."""
    length = 0
    while records and length + len(records[0]) <= sent:
        length += len(records.popleft())
    return length
