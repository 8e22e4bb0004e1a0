"""Calls that arrive together go on together; nobody waits long for others."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from batching.testing import settle
from gateway.grpc import gathering as module
from gateway.grpc.gathering import QUIET_TURNS, Gathering
from tests.gateway.fake_backend import FakeSignature
from tests.grpc.serving import serving_grpc


async def test_those_that_follow_each_other_go_on_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 60.0)
    gathering = Gathering()
    waiting = []
    for _ in range(4):
        waiting.append(asyncio.create_task(gathering.join()))
        # Each takes two turns of the loop.
        await settle(QUIET_TURNS // 2 - 2)
        assert not any(task.done() for task in waiting)
    await settle(QUIET_TURNS)
    assert all(task.done() for task in waiting)


async def test_a_stream_of_calls_does_not_hold_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.001)
    gathering = Gathering()
    first = asyncio.create_task(gathering.join())
    began = time.monotonic()
    others = []
    while not first.done():
        others.append(asyncio.create_task(gathering.join()))
        await asyncio.sleep(0)
    assert time.monotonic() - began < 0.5
    await asyncio.gather(*others)


async def test_one_that_is_cancelled_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering()
    tasks = [asyncio.create_task(gathering.join()) for _ in range(3)]
    await settle(1)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), asyncio.CancelledError, type(None)]


async def test_concurrent_calls_share_runs_of_a_fast_model(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        answers = await asyncio.gather(*[client.predict("m", n) for n in range(64)])
        assert answers == [[2.0 * n] for n in range(64)]
        assert len(fake.batches) < 48
