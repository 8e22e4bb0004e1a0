"""The request log as the gateway uses it: sampling, bounds, sharing, faults, the end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.config.errors import ConfigError
from gateway.config.settings import RequestLogSettings
from gateway.errors import invalid_argument
from gateway.exchange import Exchange
from gateway.request_log import Counts, ModelLog, RequestLog
from gateway.request_log.complaints import INTERVAL_SECONDS, Complaints
from tests.gateway.exchanges import exchange
from tests.gateway.serving import PATIENCE_SECONDS, until

FOR_EVER = 3600.0

MakeLog = Callable[..., RequestLog]


@pytest.fixture
def make_log() -> Iterator[MakeLog]:
    """Request logs that write at once, and are closed in the end."""
    logs: list[RequestLog] = []

    def make(**options: Any) -> RequestLog:
        logs.append(RequestLog(**{"gather_seconds": 0.0, **options}))
        return logs[-1]

    yield make
    for log in logs:
        log.close(PATIENCE_SECONDS)


def settings(path: Path, **options: Any) -> RequestLogSettings:
    named = {f"request_log_{name}": value for name, value in options.items()}
    return RequestLogSettings(request_log=str(path), **named)


def opened(log: RequestLog, path: Path, model: str = "m", **options: Any) -> ModelLog:
    handle = log.open(model, settings(path, **options))
    assert handle is not None
    return handle


def numbered(number: int, model: str = "m") -> Exchange:
    return exchange(model, request=b"%d" % number)


def requests(path: Path) -> list[Any]:
    """The bodies in the log, in order."""
    return [json.loads(line)["request"] for line in path.read_bytes().splitlines()]


def test_logged_in_order(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    handle = opened(log, tmp_path / "log")
    for number in range(100):
        handle(numbered(number))
    assert log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "log") == list(range(100))
    assert log.counts == {"m": Counts(written=100)}


async def test_written_while_the_loop_runs_and_never_on_it(
    make_log: MakeLog, tmp_path: Path
) -> None:
    """The tests' fixture fails whatever blocks the loop; nothing is closed or flushed here."""
    log = make_log(gather_seconds=0.01)
    handle = await asyncio.to_thread(opened, log, tmp_path / "log")
    handle(numbered(1))
    await until(lambda: log.counts["m"].written == 1)
    handle(numbered(2))
    await until(lambda: log.counts["m"].written == 2)
    handle.release()
    assert requests(tmp_path / "log") == [1, 2]


def test_a_model_without_a_log(make_log: MakeLog) -> None:
    log = make_log()
    assert log.open("m", RequestLogSettings()) is None
    assert not log.in_use
    assert log.counts == {}
    assert log.close(0.0)


@pytest.mark.parametrize(("rate", "logged"), [(0.0, []), (0.5, [0, 2]), (1.0, [0, 1, 2, 3])])
def test_the_sampling_rate(
    make_log: MakeLog, tmp_path: Path, rate: float, logged: list[int]
) -> None:
    log = make_log(sample=iter([0.0, 0.5, 0.25, 0.999]).__next__)
    handle = opened(log, tmp_path / "log", sampling_rate=rate)
    for number in range(4):
        handle(numbered(number))
    log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "log") == logged


def test_about_the_right_share_is_sampled(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(sample=random.Random(7).random, gather_seconds=FOR_EVER)
    handle = opened(log, tmp_path / "log", sampling_rate=0.1)
    for number in range(5000):
        handle(numbered(number))
    log.close(PATIENCE_SECONDS)
    assert 400 < log.counts["m"].written < 600


def test_the_log_sends_each_exchange_to_its_model(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    opened(log, tmp_path / "a", "a")
    opened(log, tmp_path / "b", "b")
    for model in ("b", "a", "other", "b"):
        log(exchange(model))
    log.close(PATIENCE_SECONDS)
    assert log.counts == {"a": Counts(written=1), "b": Counts(written=2)}


def test_the_time_is_that_of_the_answer(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(clock=lambda: 1_700_000_000.000001)
    opened(log, tmp_path / "log")(exchange())
    log.close(PATIENCE_SECONDS)
    logged = json.loads((tmp_path / "log").read_bytes())
    assert logged["time"] == "2023-11-14T22:13:20.000001+00:00"


def test_a_full_queue_drops_and_counts(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(gather_seconds=FOR_EVER, max_waiting_entries=3)
    handle = opened(log, tmp_path / "log")
    for number in range(10):
        handle(numbered(number))
    log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "log") == [0, 1, 2]
    assert log.counts == {"m": Counts(written=3, dropped=7)}


def test_a_queue_full_of_bytes_drops_what_does_not_fit(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(gather_seconds=FOR_EVER, max_waiting_bytes=100_000)
    handle = opened(log, tmp_path / "log")
    for size in (60_000, 60_000, 10_000):
        handle(exchange(request=b'"%s"' % (b"x" * size)))
    log.close(PATIENCE_SECONDS)
    assert [len(text) for text in requests(tmp_path / "log")] == [60_000, 10_000]
    assert log.counts["m"].dropped == 1


def test_arrays_count_with_the_batch_that_they_keep(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log(gather_seconds=FOR_EVER, max_waiting_bytes=50_000)
    handle = opened(log, tmp_path / "log", format="tfrecord")
    batch = np.zeros((10, 1000), np.float32)
    handle(exchange(outputs={"y": batch[:1]}))
    handle(exchange(outputs={"y": batch[1:2]}))
    log.close(PATIENCE_SECONDS)
    assert log.counts["m"] == Counts(written=1, dropped=1)


@pytest.mark.parametrize("bounds", [{"max_waiting_entries": 1}, {"max_waiting_bytes": 2000}])
def test_room_comes_back(make_log: MakeLog, tmp_path: Path, bounds: dict[str, int]) -> None:
    log = make_log(**bounds)
    handle = opened(log, tmp_path / "log")
    counts = log.counts["m"]
    while counts.written < 3:
        handle(exchange())
    log.close(PATIENCE_SECONDS)
    assert len(requests(tmp_path / "log")) == counts.written


def test_two_models_share_a_file(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    first = opened(log, tmp_path / "log", "a")
    (tmp_path / "link").symlink_to("log")
    second = opened(log, tmp_path / "link", "b")
    for number in range(50):
        first(numbered(2 * number, "a"))
        second(numbered(2 * number + 1, "b"))
    first.release()
    second(numbered(100, "b"))
    log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "log") == list(range(101))
    assert log.counts == {"a": Counts(written=50), "b": Counts(written=51)}


def test_the_limits_of_a_shared_file_are_the_last_ones(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    first = opened(log, tmp_path / "log", "a")
    opened(log, tmp_path / "log", "b", max_bytes=1, max_files=2)
    for number in range(3):
        first(numbered(number, "a"))
    log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "log") == [2]
    assert requests(tmp_path / "log.1") == [1]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1"]


def test_a_model_that_comes_back_goes_on_in_the_same_file(
    make_log: MakeLog, tmp_path: Path
) -> None:
    log = make_log(gather_seconds=FOR_EVER)
    for number in range(3):
        handle = opened(log, tmp_path / "log")
        assert log.in_use
        handle(numbered(number))
        handle.release()
        handle.release()
        assert not log.in_use
    log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "log") == [0, 1, 2]
    assert log.counts == {"m": Counts(written=3)}


def test_a_new_log_replaces_the_old_one_before_that_is_released(
    make_log: MakeLog, tmp_path: Path
) -> None:
    log = make_log()
    old = opened(log, tmp_path / "old")
    opened(log, tmp_path / "new")
    old.release()
    log(exchange())
    log.close(PATIENCE_SECONDS)
    assert requests(tmp_path / "old") == []
    assert len(requests(tmp_path / "new")) == 1


def test_a_released_log_takes_nothing(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    handle = opened(log, tmp_path / "log")
    handle.release()
    handle(exchange())
    log.close(PATIENCE_SECONDS)
    assert log.counts["m"] == Counts(dropped=1)


def test_a_file_is_closed_with_its_last_log(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    handle = opened(log, tmp_path / "log")
    handle(exchange())
    handle.release()
    log.close(PATIENCE_SECONDS)
    assert str(tmp_path / "log") not in open_files()


def open_files() -> set[str]:
    """What this process's descriptors stand for; one is gone again: that of the folder."""
    links = list(Path("/proc/self/fd").iterdir())
    return {str(link.readlink()) for link in links if link.is_symlink()}


def test_an_entry_that_cannot_be_encoded_is_counted(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    handle = opened(log, tmp_path / "log", format="tfrecord")
    handle(exchange(inputs={"unknown": [1.0]}))
    handle(exchange())
    log.close(PATIENCE_SECONDS)
    assert log.counts["m"] == Counts(written=1, failed=1)


async def test_a_log_that_cannot_be_written_for_a_while(
    make_log: MakeLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = make_log()
    folder = tmp_path / "folder"
    handle = await asyncio.to_thread(opened, log, folder / "log")
    (folder / "log").unlink()
    folder.rmdir()
    folder.write_text("in the way")
    counts = log.counts["m"]
    for _ in range(3):
        failed = counts.failed
        handle(exchange())
        await until(lambda before=failed: counts.failed > before)  # type: ignore[misc]
    folder.unlink()
    handle(numbered(4))
    await asyncio.to_thread(log.close, PATIENCE_SECONDS)
    assert requests(folder / "log") == [4]
    assert log.counts["m"] == Counts(written=1, failed=3)
    told = [(record.levelname, record.__dict__["lost"]) for record in caplog.records]
    assert told == [("ERROR", 1), ("WARNING", 2)]


def test_the_end_is_bounded(
    make_log: MakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = threading.Event()
    write = os.write

    def hangs(descriptor: int, data: Any) -> int:
        assert hung.wait(PATIENCE_SECONDS)
        return write(descriptor, data)

    log = make_log()
    handle = opened(log, tmp_path / "log")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", hangs)
        handle(numbered(1))
        assert not log.close(0.01)
        hung.set()
        assert log.close(PATIENCE_SECONDS)
    handle(numbered(2))
    assert requests(tmp_path / "log") == [1]
    assert log.counts["m"] == Counts(written=1, dropped=1)


@pytest.mark.parametrize(
    ("prepare", "options", "reason"),
    [
        (lambda path: path.mkdir(), {}, "it is not a regular file"),
        (os.mkfifo, {}, "it is not a regular file"),
        (lambda path: path.parent.joinpath("f").write_text(""), {"below": "f"}, "File exists"),
        (lambda path: path.write_text("[x]"), {}, "it holds something else than jsonl"),
        (
            lambda path: path.write_text('{"time":"2026-01-01"}\n'),
            {"format": "tfrecord"},
            "it holds something else than tfrecord",
        ),
    ],
)
def test_a_file_that_cannot_be_logged_to_is_refused(
    make_log: MakeLog,
    tmp_path: Path,
    prepare: Callable[[Path], object],
    options: dict[str, str],
    reason: str,
) -> None:
    prepare(tmp_path / "log")
    below = options.pop("below", "")
    path = tmp_path / below / "log" if below else tmp_path / "log"
    log = make_log()
    with pytest.raises(ConfigError, match=f"model m: request_log {path} .*: {reason}"):
        log.open("m", settings(path, **options))
    assert not log.in_use


def test_a_folder_that_forbids_rotation_is_refused(
    make_log: MakeLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(ConfigError, match="no file can be made in its folder"):
        make_log().open("m", settings(tmp_path / "log"))


def test_a_file_has_one_format(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    opened(log, tmp_path / "log", "a")
    with pytest.raises(ConfigError, match=r"model b: .*: it is being written as jsonl"):
        log.open("b", settings(tmp_path / "log", format="tfrecord"))
    assert list(log.counts) == ["a"]


def test_failed_requests_are_in_json_lines_only(make_log: MakeLog, tmp_path: Path) -> None:
    log = make_log()
    lines = opened(log, tmp_path / "lines", "a")
    records = opened(log, tmp_path / "records", "b", format="tfrecord")
    for handle in (lines, records):
        handle(exchange(error=invalid_argument("no")))
    log.close(PATIENCE_SECONDS)
    assert json.loads((tmp_path / "lines").read_bytes())["response"] == {"error": "no"}
    assert (tmp_path / "records").read_bytes() == b""
    assert log.counts == {"a": Counts(written=1), "b": Counts()}


def test_complaints_are_rare(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    complaints = Complaints(lambda: now[0], file="log")
    with caplog.at_level(logging.INFO):
        complaints.fine()
        for time in (0.0, 1.0, INTERVAL_SECONDS, INTERVAL_SECONDS + 1):
            now[0] = time
            complaints.lost(2, "full")
        complaints.fine()
        complaints.fine()
        complaints.lost(1, "full")
    told = [(record.levelname, record.__dict__["lost"]) for record in caplog.records]
    assert told == [("ERROR", 2), ("ERROR", 4), ("WARNING", 2)]
