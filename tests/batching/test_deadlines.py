"""Deadlines: by a timer, wherever the item is, and never at its neighbours' cost."""

from __future__ import annotations

import pytest

from batching import BatchPolicy, DeadlineExceeded, DropReason, Item, ItemDropped
from batching.testing import settle
from tests.batching.harness import Bench, answer

FOUR = BatchPolicy(max_batch_size=4)


def expired(item: Item) -> bool:
    return item.done() and isinstance(item.exception(), DeadlineExceeded)


async def test_queued() -> None:
    bench = Bench(FOUR)
    await bench.start(9)
    late, neighbour = bench.submit(1, deadline=2.0), bench.submit(2)
    bench.clock.advance(1.999)
    assert not late.done()
    bench.clock.advance(0.001)
    assert expired(late)
    assert str(late.exception()) == "no answer within 2000 ms"
    stats = bench.batcher.statistics()
    assert (stats.waiting_items, stats.waiting_rows, stats.expired) == (1, 1, 1)
    assert bench.events[-1] == ItemDropped(DropReason.EXPIRED, 1, 2.0)
    await bench.finish_all()
    assert bench.batches == [[9], [2]]
    assert answer(neighbour) == [4]


async def test_each_at_its_own_time_whatever_the_order_of_arrival() -> None:
    bench = Bench(FOUR)
    await bench.start(9)
    deadlines = [3.0, 1.0, 2.0, 1.0, 5.0]
    items = [bench.submit(n, deadline=deadline) for n, deadline in enumerate(deadlines)]
    for second in range(1, 6):
        bench.clock.advance(1.0)
        assert [expired(item) for item in items] == [deadline <= second for deadline in deadlines]
    assert bench.clock.timers == []


async def test_while_it_runs() -> None:
    bench = Bench(FOUR)
    late, neighbour = bench.submit(1, deadline=2.0), bench.submit(2)
    await settle()
    bench.executors[0].running[0].run()
    bench.clock.advance(2.0)
    assert expired(late)
    assert not neighbour.done()
    await bench.finish()
    assert bench.batches == [[1, 2]]
    assert expired(late)
    assert answer(neighbour) == [4]
    stats = bench.batcher.statistics()
    assert (stats.expired, stats.answered, stats.failed) == (1, 1, 0)


async def test_between_sealing_and_running_it_does_not_run() -> None:
    bench = Bench(FOUR)
    late, neighbour = bench.submit(1, deadline=2.0), bench.submit(2)
    await settle()
    bench.clock.advance(2.0)
    assert expired(late)
    await bench.finish()
    assert bench.batches == [[2]]
    assert answer(neighbour) == [4]


async def test_on_a_device_that_hangs() -> None:
    bench = Bench(FOUR)
    hung = bench.submit(1, deadline=2.0)
    waiting = bench.submit(2, 3, 4, 5, deadline=3.0)
    await settle()
    bench.clock.advance(3.0)
    assert expired(hung)
    assert expired(waiting)
    assert bench.running == 1


async def test_a_split_item_expires_as_a_whole() -> None:
    bench = Bench(FOUR)
    split, neighbour = bench.submit(*range(1, 7), deadline=2.0), bench.submit(8)
    await bench.finish()
    assert bench.running == 1
    bench.clock.advance(2.0)
    assert expired(split)
    await bench.finish_all()
    assert answer(neighbour) == [16]
    assert bench.batches == [[1, 2, 3, 4], [8]]


async def test_the_waiting_rows_of_a_split_item_leave_at_its_deadline() -> None:
    bench = Bench(FOUR)
    bench.submit(*range(1, 11), deadline=2.0)
    await settle()
    assert bench.batcher.statistics().waiting_rows == 6
    bench.clock.advance(2.0)
    assert bench.batcher.statistics().waiting_rows == 0


@pytest.mark.parametrize("deadline", [0.0, 6.9, 7.0])
async def test_past_on_arrival(deadline: float) -> None:
    bench = Bench(FOUR)
    bench.clock.advance(7.0)
    with pytest.raises(DeadlineExceeded, match="had passed on arrival"):
        bench.submit(1, 2, deadline=deadline)
    assert bench.events == [ItemDropped(DropReason.EXPIRED, 2, 0.0)]
    stats = bench.batcher.statistics()
    assert (stats.rejected, stats.submitted, stats.expired) == (1, 0, 0)
    await settle()
    assert bench.running == 0


async def test_answered_in_time() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1, deadline=2.0)
    await bench.finish()
    bench.clock.advance(5.0)
    assert answer(item) == [2]
    assert bench.batcher.statistics().expired == 0


async def test_a_cancelled_item_does_not_expire() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1, deadline=2.0)
    item.cancel()
    bench.clock.advance(5.0)
    assert item.cancelled()
    assert bench.batcher.statistics().expired == 0


async def test_before_the_batch_timeout() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, batch_timeout=5.0))
    late, neighbour = bench.submit(1, deadline=2.0), bench.submit(2)
    await settle()
    assert bench.clock.timers == [2.0]
    bench.clock.advance(2.0)
    assert expired(late)
    bench.clock.advance(3.0)
    await bench.finish()
    assert bench.batches == [[2]]
    assert answer(neighbour) == [4]


async def test_one_timer_serves_all() -> None:
    bench = Bench(FOUR)
    await bench.start(9)
    for n in range(100):
        bench.submit(n, deadline=50.0 + n)
    assert bench.clock.timers == [50.0]
    bench.submit(1, deadline=20.0)
    assert bench.clock.timers == [20.0]
