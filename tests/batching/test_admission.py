"""Who may wait: bounded by rows and by predicted wait, never refused for nothing."""

import math

import pytest

from batching import (
    BatchPolicy,
    DropReason,
    Item,
    ItemDropped,
    ItemTooLarge,
    LatencyModel,
    QueueFull,
)
from batching.admission import Backlog, predicted_wait, refusal
from batching.testing import settle
from tests.batching.harness import Arrays, Bench, double


async def busy(policy: BatchPolicy, seconds: float = 0.0, executors: int = 1) -> Bench:
    """A bench whose function takes ``seconds`` a row and whose executors all run a full batch."""

    def run(inputs: Arrays) -> Arrays:
        bench.clock.advance(seconds * len(inputs["x"]))
        return double(inputs)

    bench = Bench(policy, run, devices=executors)
    full = range(1, policy.max_batch_size + 1)
    if seconds:
        await bench.start(*full)
        await bench.finish()
    for _ in range(executors):
        await bench.start(*full)
    assert bench.running == executors
    return bench


def refused(bench: Bench, rows: int, deadline: float = math.inf) -> QueueFull:
    with pytest.raises(QueueFull) as full:
        bench.submit(*range(1, rows + 1), deadline=deadline)
    return full.value


@pytest.mark.parametrize("deadline", [math.inf, 1e9])
async def test_row_bound(deadline: float) -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, max_queue_rows=6))
    waiting = bench.submit(1, 2, 3, 4, 5, deadline=deadline)
    error = refused(bench, 2, deadline)
    assert str(error) == "5 rows wait already; at most 6 may"
    assert bench.submit(6, deadline=deadline)
    refused(bench, 1, deadline)
    waiting.cancel()
    assert bench.submit(7, deadline=deadline)
    assert bench.batcher.statistics().rejected == 2
    assert ItemDropped(DropReason.FULL, 2, 0.0) in bench.events


@pytest.mark.parametrize("enabled", [True, False])
async def test_an_item_of_any_size_is_taken_where_nothing_waits(enabled: bool) -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, max_queue_rows=6, enabled=enabled))
    large = bench.submit(*range(100))
    await bench.finish_all()
    assert large.result()["y"].tolist() == [2.0 * n for n in range(100)]


async def test_items_that_run_by_themselves_count_as_one_each() -> None:
    bench = await busy(BatchPolicy(max_batch_size=2, max_queue_rows=2, enabled=False))
    assert bench.submit(*range(10))
    assert bench.submit(*range(10))
    assert str(refused(bench, 1)) == "2 requests wait already; at most 2 may"


async def test_rows_that_run_do_not_count_as_waiting() -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, max_queue_rows=4))
    bench.submit(1, 2, 3, 4)
    refused(bench, 1)
    await bench.finish()
    assert bench.submit(1, 2, 3, 4)


async def test_nothing_is_refused_while_nothing_is_learned() -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, queue_budget=1e-6))
    assert all(bench.submit(1, 2, 3, 4) for _ in range(10))


async def test_predicted_wait_bounds_the_queue() -> None:
    # A full batch takes 4 s: 8 s for the first that waits (one ahead), 12 s for the second.
    bench = await busy(BatchPolicy(max_batch_size=4, queue_budget=10.0), seconds=1.0)
    assert bench.submit(1, 2, 3, 4)
    error = refused(bench, 1)
    assert error.retry_after == pytest.approx(2.0)
    assert str(error) == "the answer would take 12000 ms and may take 10000 ms (4 rows wait)"
    assert ItemDropped(DropReason.OVERLOAD, 1, 0.0) in bench.events
    assert bench.batcher.statistics().rejected == 1


async def test_a_deadline_nearer_than_the_predicted_wait_is_refused_at_once() -> None:
    bench = await busy(BatchPolicy(max_batch_size=4), seconds=1.0)
    now = bench.clock.now()
    assert bench.submit(1, 2, 3, 4)
    assert refused(bench, 1, deadline=now + 11.9).retry_after == pytest.approx(0.1)
    assert bench.submit(5, deadline=now + 12.0)


@pytest.mark.parametrize(("budget", "time_left", "allowed"), [(9, 20, 9), (20, 9, 9)])
async def test_the_tighter_of_budget_and_deadline_counts(
    budget: float, time_left: float, allowed: float
) -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, queue_budget=budget), seconds=1.0)
    bench.submit(1, 2, 3, 4)
    error = refused(bench, 1, deadline=bench.clock.now() + time_left)
    assert error.retry_after == pytest.approx(12 - allowed)


async def test_more_executors_take_more() -> None:
    policy = BatchPolicy(max_batch_size=4, queue_budget=8.0)
    bench = await busy(policy, seconds=1.0, executors=2)
    assert bench.submit(1, 2, 3, 4)
    assert bench.submit(1, 2, 3, 4)
    refused(bench, 1)


async def test_row_bound_tells_when_the_backlog_is_gone() -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, max_queue_rows=4), seconds=1.0)
    bench.submit(1, 2, 3, 4)
    assert refused(bench, 1).retry_after == pytest.approx(8.0)


@pytest.mark.parametrize("rows", [1, 4])
async def test_an_empty_queue_refuses_nothing(rows: int) -> None:
    bench = await busy(BatchPolicy(max_batch_size=4, queue_budget=1e-6), seconds=1.0)
    assert bench.submit(*range(rows), deadline=bench.clock.now() + 1e-6)


async def test_item_too_large() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, max_queue_rows=8, split=False))
    with pytest.raises(ItemTooLarge) as refused:
        bench.submit(*range(5))
    assert (refused.value.rows, refused.value.limit) == (5, 4)
    assert str(refused.value) == "5 rows in one request; at most 4 are allowed"
    assert bench.events == [ItemDropped(DropReason.TOO_LARGE, 5, 0.0)]
    fits: Item = bench.submit(*range(4))
    await bench.finish_all()
    assert len(fits.result()["y"]) == 4


@pytest.mark.parametrize(
    ("backlog", "rows", "executors", "batches"),
    [
        (Backlog(0, 0, single=False, batch_rows=4), 1, 1, 2),
        (Backlog(3, 1, single=False, batch_rows=4), 1, 1, 2),
        (Backlog(4, 1, single=False, batch_rows=4), 1, 1, 3),
        (Backlog(8, 2, single=False, batch_rows=4), 1, 2, 3),
        (Backlog(8, 2, single=False, batch_rows=4), 1, 3, 2),
    ],
)
def test_predicted_wait_counts_full_batches(
    backlog: Backlog, rows: int, executors: int, batches: int
) -> None:
    latency = LatencyModel()
    for size in (1, 2, 4):
        latency.record(size, 0.5 + 0.125 * size)
    assert predicted_wait(backlog, rows, latency, executors) == pytest.approx(batches * 1.0)


def test_predicted_wait_of_items_that_run_singly() -> None:
    latency = LatencyModel()
    for size in (1, 2, 4):
        latency.record(size, 0.5 + 0.125 * size)
    # Four items of two rows on average, two at a time behind the two that run: three rounds.
    wait = predicted_wait(Backlog(6, 3, single=True, batch_rows=4), 2, latency, 2)
    assert wait == pytest.approx(3 * 0.75)


def test_without_a_budget_or_deadline_only_the_row_bound_counts() -> None:
    latency = LatencyModel()
    latency.record(4, 1000.0)
    policy = BatchPolicy(max_batch_size=4, max_queue_rows=10)
    assert (
        refusal(Backlog(9, 9, single=False, batch_rows=4), 1, math.inf, policy, latency, 1) is None
    )
    assert (
        refusal(Backlog(9, 9, single=False, batch_rows=4), 2, math.inf, policy, latency, 1)
        is not None
    )


async def test_single_items_are_admitted_by_their_number() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, enabled=False, queue_budget=3.5), run=double)
    bench.batcher.latency.record(1, 1.0)
    await bench.start(1)
    assert [bench.submit(1) for _ in range(4)]
    await settle()
    with pytest.raises(QueueFull):
        bench.submit(1)
