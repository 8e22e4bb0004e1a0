"""The open loop's timer."""

from __future__ import annotations

import asyncio
import time

from benchmarks.loadgen.timer import PreciseTimer


async def test_it_fires_once_and_not_early() -> None:
    loop = asyncio.get_running_loop()
    fired: asyncio.Queue[float] = asyncio.Queue()
    timer = PreciseTimer(lambda: fired.put_nowait(time.monotonic()))
    when = time.monotonic() + 0.002
    timer.arm(when)
    assert await fired.get() >= when
    over = loop.create_future()
    loop.call_later(0.01, over.set_result, None)
    await over
    assert fired.empty()
    timer.close()


async def test_a_time_in_the_past_fires_at_once() -> None:
    fired = asyncio.Event()
    timer = PreciseTimer(fired.set)
    timer.arm(0.0)
    await asyncio.wait_for(fired.wait(), 10)
    timer.close()


async def test_arming_again_replaces_the_call() -> None:
    fired = asyncio.Event()
    timer = PreciseTimer(fired.set)
    timer.arm(time.monotonic() + 1000)
    timer.arm(time.monotonic())
    await asyncio.wait_for(fired.wait(), 10)
    timer.close()
