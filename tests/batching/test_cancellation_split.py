"""Cancelling an item that is split over several batches."""

from __future__ import annotations

import pytest

from batching import BatchPolicy
from batching.testing import settle
from tests.batching.harness import Bench, answer

FOUR = BatchPolicy(max_batch_size=4)


async def test_the_rest_of_a_split_item_leaves_while_its_first_part_runs() -> None:
    bench = Bench(FOUR)
    split, neighbour = bench.submit(*range(1, 11)), bench.submit(11)
    await settle()
    assert bench.batcher.statistics().waiting_rows == 7
    split.cancel()
    assert bench.batcher.statistics().waiting_rows == 1
    await bench.finish_all()
    assert bench.batches == [[11]]
    assert answer(neighbour) == [22]


async def test_split_between_two_executors() -> None:
    bench = Bench(FOUR, devices=2)
    split, neighbour = bench.submit(*range(1, 8)), bench.submit(8)
    await settle()
    assert bench.running == 2
    bench.executors[0].running[0].run()
    split.cancel()
    await bench.finish(1)
    await bench.finish(0)
    assert split.cancelled()
    assert answer(neighbour) == [16]
    assert bench.batches == [[1, 2, 3, 4], [8]]


async def test_a_split_item_of_which_every_row_has_run(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FOUR, devices=2)
    split = bench.submit(*range(1, 9))
    await settle()
    for executor in bench.executors:
        executor.running[0].run()
    split.cancel()
    await bench.finish_all()
    assert split.cancelled()
    assert not caplog.records


async def test_split_item_after_its_first_part_was_answered() -> None:
    bench = Bench(FOUR)
    split, neighbour = bench.submit(*range(1, 7)), bench.submit(8)
    await bench.finish()
    split.cancel()
    await bench.finish_all()
    assert answer(neighbour) == [16]
    stats = bench.batcher.statistics()
    assert (stats.answered, stats.cancelled, stats.failed) == (1, 1, 0)
