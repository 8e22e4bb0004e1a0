"""What a request may cost, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batching import Item
from gateway.http.call import Call
from tests.gateway.fake_backend import FakeSignature
from tests.hot.fronts import Front, front
from tests.hot.requests import post

MIXED = [
    post(),
    post(b'{"instances":["text"]}'),
    post(b'{"instances":[-1]}'),
    post(b"{"),
    post(path=b"/v1/models/none:predict"),
]


@pytest.fixture
async def hot(tmp_path: Path) -> AsyncIterator[Front]:
    async with front(tmp_path, {"m": FakeSignature()}) as made:
        yield made


class _Counted:
    """Counts calls of a method of the event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.calls = 0
        real = getattr(module, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, counting)


async def test_no_task_is_made(hot: Front) -> None:
    made = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    wire = hot.connect()
    asyncio.get_running_loop().set_task_factory(factory)
    for data in MIXED:
        wire.send(data)
        await wire.answer()
    assert not made
    wire.send(post(path=b"/v1/models/m:classify"))
    await wire.answer()
    # From Python 3.12 on aiohttp makes them past the loop's factory.
    assert made or sys.version_info >= (3, 12), "aiohttp does make tasks"


async def test_no_timer_is_made_per_request(hot: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the batcher's for all deadlines, and none of the connections'."""
    wire = hot.connect()
    wire.send(post())
    await wire.answer()
    made = []
    clock = hot.servable.queues["serving_default"].batcher._clock
    real = clock.call_at
    monkeypatch.setattr(clock, "call_at", lambda *a: made.append(a) or real(*a))
    ticker = hot.server._ticker  # type: ignore[attr-defined]
    for _ in range(50):
        wire.send(*MIXED)
        await wire.answers(len(MIXED))
    assert not made
    assert hot.server._ticker is ticker  # type: ignore[attr-defined]


async def test_nothing_is_left(hot: Front) -> None:
    for _ in range(20):
        wires = [hot.connect() for _ in range(5)]
        for wire, data in zip(wires, MIXED, strict=True):
            wire.send(data)
            await wire.answer()
            wire.leave()
    assert not hot.server.connections
    assert hot.in_flight == 0
    assert hot.waiting_rows() == 0
    gc.collect()
    left = [o for o in gc.get_objects() if isinstance(o, Item | Call)]
    # The batcher's heap of deadlines forgets answered items when the next one comes.
    assert len([o for o in left if isinstance(o, Call)]) == 0
    assert all(item.done() for item in left if isinstance(item, Item))
    await asyncio.wait_for(hot.servable.retire(), 5)


async def test_no_ticker_without_connections(tmp_path: Path) -> None:
    async with front(tmp_path, {"m": FakeSignature()}, rest_api_timeout_in_ms=40) as hot:
        hot.connect().leave()
        async with asyncio.timeout(5):
            while hot.server._ticker is not None:  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)
