"""SIGTERM while a benchmark runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from benchmarks.stopping import EXIT_TERMINATED, cancelled_by_sigterm, exit_on_sigterm


@pytest.fixture
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_it_exits_without_a_loop(signals: None) -> None:
    exit_on_sigterm()
    with pytest.raises(SystemExit) as exit_:
        signal.raise_signal(signal.SIGTERM)
    assert exit_.value.code == EXIT_TERMINATED


def test_it_cancels_what_a_loop_runs(signals: None) -> None:
    cleaned_up = []

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            cleaned_up.append(True)

    exit_on_sigterm()
    outside = signal.getsignal(signal.SIGTERM)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled_by_sigterm(work()))
    assert cleaned_up == [True]
    assert signal.getsignal(signal.SIGTERM) is outside
