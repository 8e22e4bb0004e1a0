"""Requests that are told of by a callback instead of a future."""

from __future__ import annotations

import logging

import pytest

from batching import BatchPolicy, Closed, DeadlineExceeded, Item
from tests.batching.harness import Bench, Culprit, answer


class Told:
    """A callback that remembers whom it was called for."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def __call__(self, item: Item) -> None:
        assert item.done()
        self.items.append(item)


async def test_each_item_of_a_batch_is_told_once_in_order() -> None:
    bench, told = Bench(BatchPolicy(max_batch_size=4)), Told()
    items = [bench.submit(value, done=told) for value in (1, 2, 3)]
    await bench.finish_all()
    assert told.items == items
    assert [answer(item) for item in items] == [[2], [4], [6]]
    assert all(item.timing is not None and item.timing.rows == 3 for item in items)
    assert bench.batcher.statistics().answered == 3


async def test_a_split_item_is_told_when_it_is_whole() -> None:
    bench, told = Bench(BatchPolicy(max_batch_size=2)), Told()
    item = bench.submit(1, 2, 3, done=told)
    await bench.finish()
    assert not told.items
    await bench.finish_all()
    assert told.items == [item]
    assert answer(item) == [2, 4, 6]


async def test_only_the_culprit_fails() -> None:
    bench, told = Bench(BatchPolicy(max_batch_size=4)), Told()
    good, bad = bench.submit(1, done=told), bench.submit(-1, done=told)
    await bench.finish_all()
    assert sorted(told.items, key=id) == sorted([good, bad], key=id)
    assert good.error is None
    assert isinstance(bad.error, Culprit)
    assert bad.outputs is None


async def test_a_cancelled_item_is_not_told() -> None:
    bench, told = Bench(), Told()
    running, waiting = bench.submit(1, done=told), bench.submit(2, 3, done=told)
    assert waiting.cancel()
    assert not waiting.cancel()
    await bench.start(9)
    assert running.cancel()
    await bench.finish_all()
    assert not told.items
    assert waiting.cancelled()
    assert running.cancelled()
    assert bench.batcher.statistics().cancelled == 2


async def test_an_expired_item_is_told() -> None:
    bench, told = Bench(), Told()
    await bench.start(1)
    item = bench.submit(2, deadline=bench.clock.now() + 1, done=told)
    bench.clock.advance(1)
    assert told.items == [item]
    assert isinstance(item.error, DeadlineExceeded)


async def test_closing_tells_those_that_wait_and_those_that_run() -> None:
    bench, told = Bench(BatchPolicy(max_batch_size=1)), Told()
    items = [bench.submit(1, done=told), bench.submit(2, done=told)]
    await bench.start(3)
    bench.batcher.close()
    assert sorted(told.items, key=id) == sorted(items, key=id)
    assert all(isinstance(item.error, Closed) for item in items)


async def test_a_failing_callback_is_no_matter_of_its_neighbours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(item: Item) -> None:
        raise RuntimeError("callback")

    bench, told = Bench(BatchPolicy(max_batch_size=4)), Told()
    bench.submit(1, done=broken)
    bench.submit(-1, done=broken)
    neighbour = bench.submit(2, done=told)
    with caplog.at_level(logging.CRITICAL, "batching.answers"):
        await bench.finish_all()
    assert told.items == [neighbour]
    assert answer(neighbour) == [4]


async def test_a_callback_may_submit_and_cancel() -> None:
    bench, told = Bench(BatchPolicy(max_batch_size=4)), Told()
    later: list[Item] = []

    def react(item: Item) -> None:
        neighbour.cancel()
        later.append(bench.submit(5, done=told))

    bench.submit(1, done=react)
    neighbour = bench.submit(2, done=told)
    await bench.finish_all()
    assert told.items == later
    assert answer(later[0]) == [10]
    assert neighbour.cancelled()


async def test_an_item_with_a_callback_cannot_be_awaited() -> None:
    item = Bench().submit(1, done=Told())
    with pytest.raises(RuntimeError, match="callback"):
        await item
