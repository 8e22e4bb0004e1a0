"""The event loop's thread asks for short turns; other threads keep theirs."""

from __future__ import annotations

import os
import platform
import threading

import pytest

from gateway import time_slice
from gateway.time_slice import ask_for_short_time_slices

PRIORITY = (os.PRIO_PROCESS, 0)


def in_a_thread() -> dict[str, object]:
    """What a thread that asks, and one that it starts, have afterwards."""
    found: dict[str, object] = {}

    def child() -> None:
        found["child"] = os.sched_getscheduler(0)

    def ask() -> None:
        found["before"] = os.getpriority(*PRIORITY)
        found["agreed"] = ask_for_short_time_slices()
        found["again"] = ask_for_short_time_slices()
        found["after"] = os.getpriority(*PRIORITY)
        found["own"] = os.sched_getscheduler(0)
        started = threading.Thread(target=child)
        started.start()
        started.join()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="not tried there")
def test_only_the_calling_thread_changes() -> None:
    found = in_a_thread()
    assert found["agreed"] == found["again"]
    assert found["before"] == found["after"]
    assert found["child"] == os.SCHED_OTHER
    if found["agreed"]:
        assert found["own"] == os.SCHED_OTHER | os.SCHED_RESET_ON_FORK


def test_an_unknown_machine_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    assert in_a_thread()["agreed"] is False


def test_a_kernel_that_refuses_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slice, "_SYSCALL_NUMBERS", {platform.machine(): 100_000})
    assert in_a_thread()["agreed"] is False
