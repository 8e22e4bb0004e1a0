"""Request logs of models that come and go, on files that they may share."""

from __future__ import annotations

import os
import random
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.config.errors import ConfigError
from gateway.config.settings import RequestLogSettings
from gateway.errors import Code
from gateway.exchange import Exchange
from gateway.request_log.entry import Counts, Entry, memory_of
from gateway.request_log.formats import FORMATS, Format
from gateway.request_log.rotating_file import RotatingFile, open_for_append
from gateway.request_log.sink import Sink
from gateway.request_log.writer import Writer

_HEAD_BYTES = 16


class ModelLog:
    """One model's way into the log: an Observer of its requests. Called on the event loop; never
    waits."""

    def __init__(
        self, model: str, log: RequestLog, sink: Sink, writer: Writer, rate: float, counts: Counts
    ) -> None:
        self.model = model
        self._log = log
        self._sink = sink
        self._writer = writer
        self._rate = rate
        self._counts = counts
        self._released = False

    def __call__(self, exchange: Exchange) -> None:
        form = self._sink.format
        if self._log.sample() >= self._rate:
            return
        if exchange.error is not None and not form.takes_failures:
            return
        entry = Entry.of(exchange, self._log.clock(), self._rate, arrays=form.needs_arrays)
        size = memory_of(entry, exchange)
        if self._released or not self._writer.offer(self._sink, entry, self._counts, size):
            self._counts.dropped += 1
            return
        status = Code.OK if exchange.error is None else exchange.error.code
        self._log.on_logged(self.model, status.name)

    def release(self) -> None:
        """The model is gone, or has another log. What was logged is still written; once nobody
        else uses the file it is closed. Does not wait; further calls do nothing."""
        if not self._released:
            self._released = True
            self._log.release(self, self._sink)


class RequestLog:
    """All request logs of the process: one queue, one thread, one writer per file.

    It is an Observer itself, which hands each Exchange to the log that its model opened last.
    ``sample`` gives numbers in [0, 1), a request is logged when its one is below the model's
    sampling rate; ``clock`` gives seconds since the epoch. The thread runs from the first ``open``
    to ``close``.
    """

    def __init__(
        self,
        *,
        max_waiting_entries: int = 10_000,
        max_waiting_bytes: int = 64 * 1024 * 1024,
        gather_seconds: float = 0.1,
        sample: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        on_logged: Callable[[str, str], None] = lambda model, status: None,
    ) -> None:
        self.sample = sample
        self.clock = clock
        self.on_logged = on_logged
        """Told of each request that is to be written, on the event loop: the model and the status
        code's name."""
        self.counts: Mapping[str, Counts] = {}
        """By model, also of models that are gone. Never changed but replaced: to be iterated."""
        self._writer = Writer(max_waiting_entries, max_waiting_bytes, gather_seconds)
        self._started = False
        self._logs: dict[str, ModelLog] = {}
        self._sinks: dict[Path, Sink] = {}
        self._lock = threading.Lock()
        """Guards everything but the calls of logs; never held while a file is touched."""

    def __call__(self, exchange: Exchange) -> None:
        log = self._logs.get(exchange.servable.name)
        if log is not None:
            log(exchange)

    @property
    def in_use(self) -> bool:
        """Whether any model's requests are logged."""
        return bool(self._logs)

    def open(self, model_name: str, settings: RequestLogSettings) -> ModelLog | None:
        """The log that ``settings`` ask for; None when they ask for none.

        Models that name the same file share it; it has the limits of the one opened last. Blocks
        on the file system. Raises ConfigError when the file cannot be written, when it holds
        something else, and when it is in use with the other format.
        """
        if not settings.request_log:
            return None
        form = FORMATS[settings.request_log_format]
        path = _checked(model_name, settings.request_log, form)
        with self._lock:
            sink = self._sink(model_name, path, form, settings)
            if not self._started:
                self._started = True
                self._writer.start()
            self.counts = {model_name: Counts(), **self.counts}
            counts = self.counts[model_name]
            rate = settings.request_log_sampling_rate
            log = ModelLog(model_name, self, sink, self._writer, rate, counts)
            self._logs[model_name] = log
        return log

    def release(self, log: ModelLog, sink: Sink) -> None:
        """``log`` writes no more to ``sink``; for ModelLog."""
        with self._lock:
            if self._logs.get(log.model) is log:
                del self._logs[log.model]
            sink.users -= 1
            if not sink.users:
                del self._sinks[sink.file.path]
                # Under the lock: a new sink of the same file writes only after this one's end.
                self._writer.finish(sink)

    def close(self, timeout: float) -> bool:
        """Write what waits and stop, within ``timeout`` seconds; False when that was too short.

        Blocks: not for the event loop. What is logged afterwards is dropped.
        """
        with self._lock:
            for sink in self._sinks.values():
                self._writer.finish(sink)
            started = self._started
        return self._writer.stop(timeout) if started else True

    def _sink(
        self, model_name: str, path: Path, form: Format, settings: RequestLogSettings
    ) -> Sink:
        sink = self._sinks.get(path)
        limits = settings.request_log_max_bytes, settings.request_log_max_files
        if sink is None:
            sink = self._sinks[path] = Sink(RotatingFile(path, form.intact, *limits), form)
        elif sink.format is not form:
            raise _refused(model_name, path, f"it is being written as {sink.format.name}")
        sink.file.max_bytes, sink.file.max_files = limits
        sink.users += 1
        return sink


def _checked(model_name: str, file: str, form: Format) -> Path:
    """The file's real path, once it is certain that it can be written as ``form``."""
    try:
        path = Path(os.path.realpath(file))
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise _refused(model_name, path, "it is not a regular file")
        descriptor = open_for_append(path)
        try:
            head = os.pread(descriptor, _HEAD_BYTES, 0)
        finally:
            os.close(descriptor)
        may_rotate = os.access(path.parent, os.W_OK | os.X_OK)
    except OSError as error:
        reason = f"{error.strerror} ({error.filename})"
        raise _refused(model_name, file, reason) from error
    except ValueError as error:
        raise _refused(model_name, file, str(error)) from error
    if not may_rotate:
        raise _refused(model_name, path, "no file can be made in its folder")
    if not form.starts_like(head):
        raise _refused(model_name, path, f"it holds something else than {form.name}; move it away")
    return path


def _refused(model_name: str, file: str | Path, reason: str) -> ConfigError:
    return ConfigError(f"model {model_name}: request_log {file} cannot be written: {reason}")
