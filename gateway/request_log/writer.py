"""The queue between the event loop and the disk, and the thread that empties it."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import NamedTuple

from gateway.request_log.complaints import Complaints
from gateway.request_log.entry import Counts, Entry
from gateway.request_log.sink import Sink


class _Queued(NamedTuple):
    sink: Sink
    entry: Entry
    counts: Counts
    size: int


class _Finished(NamedTuple):
    """Nothing more comes for the sink."""

    sink: Sink


class Writer:
    """One daemon thread for all sinks; ``offer`` never waits for it.

    The queue's bounds need no lock: entries are only put in by the event loop's thread and only
    taken out by the writer's, and each counts on its own.
    """

    def __init__(self, max_entries: int, max_bytes: int, gather_seconds: float) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._gather_seconds = gather_seconds
        self._messages: SimpleQueue[_Queued | _Finished | None] = SimpleQueue()
        self._offered_entries = self._offered_bytes = 0
        self._taken_entries = self._taken_bytes = 0
        self._refusals = Complaints()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, sink: Sink, entry: Entry, counts: Counts, size: int) -> bool:
        """Let ``entry``, of about ``size`` bytes, be written; False when there is no room."""
        if self._stopping.is_set():
            return False
        entries = self._offered_entries - self._taken_entries + 1
        in_memory = self._offered_bytes - self._taken_bytes + size
        if entries > self._max_entries or in_memory > self._max_bytes:
            self._refusals.lost(1, "more requests wait to be written than may")
            return False
        self._offered_entries += 1
        self._offered_bytes += size
        self._messages.put(_Queued(sink, entry, counts, size))
        return True

    def finish(self, sink: Sink) -> None:
        """Close ``sink`` once everything that was offered for it before is written."""
        self._messages.put(_Finished(sink))

    def stop(self, timeout: float) -> bool:
        """Write what waits, for at most ``timeout`` seconds; False when that was too short."""
        self._stopping.set()
        self._messages.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._write_some(self._messages.get()):
            pass

    def _write_some(self, message: _Queued | _Finished | None) -> bool:
        """Write ``message`` and what came with it; False after the last."""
        # A thread that woke up for every request would take the interpreter from the loop as often.
        self._stopping.wait(self._gather_seconds)
        behind = self._messages.qsize()
        touched: dict[Sink, None] = {}
        while message is not None:
            touched[message.sink] = None
            self._handle(message)
            if not behind:
                break
            message = self._messages.get()
            behind -= 1
        for sink in touched:
            sink.flush()
        return message is not None

    def _handle(self, message: _Queued | _Finished) -> None:
        if isinstance(message, _Finished):
            message.sink.close()
            return
        message.sink.add(message.entry, message.counts)
        self._taken_entries += 1
        self._taken_bytes += message.size
