"""One file of the log, with the records that are next to be written to it."""

from __future__ import annotations

from collections import deque
from itertools import islice

from gateway.request_log.complaints import Complaints
from gateway.request_log.entry import Counts, Entry
from gateway.request_log.formats import Format
from gateway.request_log.rotating_file import RotatingFile

_WRITE_BYTES = 1024 * 1024
"""As soon as so much is encoded it is written."""


class Sink:
    """Encodes and writes. Every call needs the same thread, never raises and may block."""

    def __init__(self, file: RotatingFile, form: Format) -> None:
        self.file = file
        self.format = form
        self.users = 0
        """Logs that write here. Owned by RequestLog."""
        self._records: deque[bytes] = deque()
        self._counts: deque[Counts] = deque()
        """Whose records they are, in the same order."""
        self._bytes = 0
        self._complaints = Complaints(file=str(file.path))

    def add(self, entry: Entry, counts: Counts) -> None:
        try:
            record = self.format.encode(entry)
        except Exception as error:  # noqa: BLE001 - an entry that cannot be encoded ends no log
            counts.failed += 1
            self._complaints.lost(1, f"cannot be encoded: {type(error).__name__}")
            return
        self._records.append(record)
        self._counts.append(counts)
        self._bytes += len(record)
        if self._bytes >= _WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what there is; what cannot be written is lost and counted."""
        offered = len(self._records)
        reason = ""
        try:
            self.file.append(self._records)
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except Exception as error:  # noqa: BLE001 - memory may be short
            reason = type(error).__name__
        self._settle(offered - len(self._records), reason)

    def close(self) -> None:
        self.flush()
        self.file.close()

    def _settle(self, written: int, reason: str) -> None:
        for counts in islice(self._counts, written):
            counts.written += 1
        for counts in islice(self._counts, written, None):
            counts.failed += 1
        if reason:
            self._complaints.lost(len(self._records), reason)
        elif written:
            self._complaints.fine()
        self._records.clear()
        self._counts.clear()
        self._bytes = 0
