"""The records of a batcher's life, in order, and the counts that go with them."""

from __future__ import annotations

import numpy as np

from batching import (
    BatchDone,
    BatcherStatistics,
    BatchingDisabled,
    BatchPolicy,
    BatchReleased,
    DropReason,
    Event,
    ItemDropped,
    Padding,
    PadInput,
    ReleaseReason,
)
from batching.testing import settle
from tests.batching.harness import Arrays, Bench, double


def released(reason: ReleaseReason, rows: int, items: int, wait: float) -> BatchReleased:
    return BatchReleased(reason, rows, items, wait, "e0")


def done(
    rows: int,
    waits: tuple[float, ...],
    *,
    padded_rows: int | None = None,
    items: int | None = None,
    hand_over: float = 0.0,
    run: float = 0.0,
    padding: float = 0.0,
    reruns: int = 0,
    failed: int = 0,
) -> BatchDone:
    return BatchDone(
        executor="e0",
        rows=rows,
        padded_rows=padded_rows or rows,
        items=len(waits) if items is None else items,
        queue_waits=waits,
        assembly_seconds=hand_over,
        run_seconds=run,
        padding_ratio=padding,
        reruns=reruns,
        failed_items=failed,
    )


def told(bench: Bench) -> list[Event]:
    """The events so far; whatever sequence the waits are in, they compare as a tuple."""
    return [
        event._replace(queue_waits=tuple(event.queue_waits))
        if isinstance(event, BatchDone)
        else event
        for event in bench.events
    ]


async def test_a_story() -> None:
    def run(inputs: Arrays) -> Arrays:
        bench.clock.advance(0.5)
        return double(inputs)

    policy = BatchPolicy(max_batch_size=4, max_queue_rows=8, allowed_batch_sizes=(2, 4))
    bench = Bench(policy, run)
    bench.submit(1)
    await settle()
    bench.clock.advance(1.0)
    waiting = [bench.submit(n, n) for n in (2, -3)]
    given_up = bench.submit(4, 4, 4)
    bench.clock.advance(2.0)
    given_up.cancel()
    late = bench.submit(5, deadline=3.25)
    bench.clock.advance(0.25)
    await bench.finish()
    bench.clock.advance(0.125)
    await bench.finish()
    last = bench.submit(6)
    bench.batcher.close()
    assert all(item.done() for item in (*waiting, late, last))
    assert told(bench) == [
        released(ReleaseReason.IDLE, 1, 1, 0.0),
        ItemDropped(DropReason.CANCELLED, 3, 2.0),
        ItemDropped(DropReason.EXPIRED, 1, 0.25),
        released(ReleaseReason.FULL, 4, 2, 2.75),
        done(1, (0.0,), padded_rows=2, hand_over=3.25, run=0.5, padding=0.5),
        # The failed run of both, then one each.
        done(4, (2.75, 2.75), hand_over=0.125, run=1.5, reruns=2, failed=1),
        ItemDropped(DropReason.CLOSED, 1, 0.0),
    ]
    assert bench.batcher.statistics() == BatcherStatistics(
        waiting_items=0,
        waiting_rows=0,
        running_batches=0,
        submitted=6,
        answered=2,
        failed=2,
        cancelled=1,
        expired=1,
        rejected=0,
        batches=2,
        rows=5,
        padding_rows=1,
        reruns=2,
        enabled=True,
    )


async def test_batch_timeout_and_full_batch() -> None:
    bench = Bench(BatchPolicy(max_batch_size=2, batch_timeout=1.0))
    await bench.start(1)
    bench.clock.advance(1.0)
    await bench.finish()
    await bench.start(2)
    bench.clock.advance(0.5)
    await bench.start(3)
    await bench.finish()
    assert told(bench) == [
        released(ReleaseReason.TIMEOUT, 1, 1, 1.0),
        done(1, (1.0,)),
        released(ReleaseReason.FULL, 2, 2, 0.5),
        done(2, (0.5, 0.0)),
    ]


async def test_switching_batching_off_is_told_before_the_batch_is() -> None:
    bench = Bench(run=lambda inputs: {"total": inputs["x"].sum()})
    [bench.submit(n) for n in (1, 2)]
    await bench.finish()
    bench.submit(3)
    await bench.finish()
    assert told(bench) == [
        released(ReleaseReason.IDLE, 2, 2, 0.0),
        BatchingDisabled("output 'total' has shape [], not 2 rows"),
        done(2, (0.0, 0.0), reruns=2),
        released(ReleaseReason.ALONE, 1, 1, 0.0),
        done(1, (0.0,)),
    ]


async def test_drained_batches_say_so() -> None:
    bench = Bench(BatchPolicy(batch_timeout=9.0))
    bench.submit(1)
    await settle()
    bench.clock.advance(2.0)
    drain = bench.batcher.drain()
    drain.send(None)
    await bench.finish()
    drain.close()
    assert bench.events[0] == released(ReleaseReason.DRAIN, 1, 1, 2.0)


async def test_the_waits_of_a_split_item_count_once() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4))
    bench.submit(*range(1, 7))
    bench.submit(7)
    await bench.finish_all()
    assert told(bench) == [
        released(ReleaseReason.FULL, 4, 1, 0.0),
        released(ReleaseReason.IDLE, 3, 2, 0.0),
        done(4, (0.0,)),
        done(3, (0.0,), items=2),
    ]


async def test_the_share_of_padding() -> None:
    padding = Padding({"x": PadInput(buckets=(8,))})
    bench = Bench(BatchPolicy(padding=padding))
    for length in (2, 6):
        bench.batcher.submit({"x": np.ones((1, length), np.float32)})
    await bench.finish()
    assert told(bench)[-1] == done(2, (0.0, 0.0), padding=0.5)


async def test_rows_that_were_given_up_before_the_run_do_not_count_as_run() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, allowed_batch_sizes=(2, 4)))
    items = [bench.submit(n) for n in (1, 2, 3)]
    await settle()
    for item in items[:2]:
        item.cancel()
    await bench.finish()
    last = bench.events[-1]
    assert isinstance(last, BatchDone)
    assert (last.rows, last.padded_rows) == (1, 2)
    stats = bench.batcher.statistics()
    assert (stats.rows, stats.padding_rows) == (1, 1)
    assert items[2].timing is not None
    assert items[2].timing.rows == 1


async def test_statistics_count_what_waits_and_runs() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4))
    bench.submit(*range(1, 7))
    bench.submit(7)
    await settle()
    stats = bench.batcher.statistics()
    assert (stats.waiting_items, stats.waiting_rows, stats.running_batches) == (2, 3, 1)
    assert (stats.submitted, stats.answered, stats.batches) == (2, 0, 0)
