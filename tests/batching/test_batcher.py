"""Submitting and being answered."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest

from batching import BatchPolicy, Closed, IncompatibleItem, Padding, PadInput, RunTiming
from batching.testing import settle
from tests.batching.harness import Arrays, Bench, answer, double, rows

FOUR = BatchPolicy(max_batch_size=4)


async def test_requests_of_one_moment_share_a_batch() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n) for n in (1, 2, 3)]
    await bench.finish()
    assert bench.batches == [[1, 2, 3]]
    assert [answer(item) for item in items] == [[2], [4], [6]]


async def test_requests_that_arrive_while_a_batch_runs_share_the_next() -> None:
    bench = Bench(FOUR)
    await bench.start(1)
    items = [await bench.start(n) for n in (2, 3)]
    await bench.finish()
    await bench.finish()
    assert bench.batches == [[1], [2, 3]]
    assert [answer(item) for item in items] == [[4], [6]]


async def test_requests_of_other_dtypes_and_shapes_do_not_share() -> None:
    bench = Bench(FOUR)
    sent: list[Arrays] = [
        {"x": np.array([1, 2], np.float32)},
        {"x": np.array([3], np.float64)},
        {"x": np.array([[4]], np.float32)},
        {"x": np.array([5], np.float32)},
    ]
    items = [bench.batcher.submit(inputs) for inputs in sent]
    await bench.finish_all()
    assert bench.batches == [[1, 2, 5], [3], [[4]]]
    for item, inputs in zip(items, sent, strict=True):
        assert item.result()["y"].dtype == inputs["x"].dtype
        np.testing.assert_array_equal(item.result()["y"], 2 * inputs["x"])


async def test_awaiting_an_item_gives_its_outputs() -> None:
    bench = Bench(FOUR)

    async def client(value: float) -> Any:
        return (await bench.submit(value))["y"].tolist()

    tasks = [asyncio.create_task(client(n)) for n in (1, 2)]
    await bench.finish()
    assert [task.result() for task in tasks] == [[2], [4]]


async def test_several_may_await_one_item() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1)
    waits = [asyncio.ensure_future(item) for _ in range(3)]
    await bench.finish()
    assert [wait.result()["y"].tolist() for wait in waits] == [[2]] * 3


async def test_batch_timeout() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4, batch_timeout=1.0))
    first = await bench.start(1)
    bench.clock.advance(0.75)
    second = await bench.start(2)
    assert bench.running == 0
    bench.clock.advance(0.25)
    await bench.finish()
    assert bench.batches == [[1, 2]]
    assert first.done()
    assert second.done()


async def test_batch_timeout_does_not_keep_a_full_batch() -> None:
    bench = Bench(BatchPolicy(max_batch_size=2, batch_timeout=1.0))
    await bench.start(1)
    assert bench.running == 0
    await bench.start(2)
    assert bench.running == 1


async def test_no_timer_spins_while_a_device_is_busy_past_the_batch_timeout() -> None:
    bench = Bench(BatchPolicy(max_batch_size=2, batch_timeout=1.0))
    for n in (1, 2):
        await bench.start(n)
    waiting = await bench.start(3)
    assert bench.running == 1
    bench.clock.advance(10.0)
    assert bench.clock.timers == []
    await bench.finish()
    await bench.finish()
    assert answer(waiting) == [6]


async def test_without_a_timeout_or_deadline_there_are_no_timers() -> None:
    bench = Bench(FOUR)
    [bench.submit(n) for n in range(20)]
    await settle()
    assert bench.clock.timers == []


async def test_timing_tells_of_the_batch() -> None:
    def run(inputs: Arrays) -> Arrays:
        bench.clock.advance(0.5)
        return double(inputs)

    bench = Bench(BatchPolicy(max_batch_size=4, allowed_batch_sizes=(4,)), run)
    bench.clock.advance(10.0)
    await bench.start(1, 2, 3, 4)
    items = [bench.submit(n) for n in (1, 2, 3)]
    assert items[0].timing is None
    bench.clock.advance(1.0)
    await bench.finish()
    bench.clock.advance(0.25)
    await bench.finish()
    timing = RunTiming(11.5, 11.75, 12.25, rows=3, padded_rows=4, executor="e0")
    assert [item.timing for item in items] == [timing] * 3
    assert [item.queue_seconds for item in items] == [1.5] * 3


async def test_timing_of_a_split_item_counts_from_its_first_rows_to_its_last() -> None:
    bench = Bench(FOUR)
    bench.clock.advance(10.0)
    item = bench.submit(*range(6))
    await settle()
    bench.clock.advance(1.0)
    await bench.finish()
    bench.clock.advance(1.0)
    await bench.finish()
    assert item.timing == RunTiming(11.0, 12.0, 12.0, rows=2, padded_rows=2, executor="e0")
    assert item.queue_seconds == 0.0


async def test_rows_and_key_given_by_the_caller() -> None:
    bench = Bench(FOUR)
    items = [bench.submit(n, n, rows=2, key=key) for n, key in ((1, "a"), (2, "b"), (3, "a"))]
    await bench.finish_all()
    assert bench.batches == [[1, 1, 3, 3], [2, 2]]
    assert [answer(item) for item in items] == [[2, 2], [4, 4], [6, 6]]


async def test_lists_of_rows_get_the_dtype_of_their_input() -> None:
    bench = Bench(FOUR, dtypes={"x": np.float32})
    described = bench.batcher.submit({"x": [1, 2]})
    keyed = bench.batcher.submit({"x": [3]}, rows=1, key="k")
    bench.batcher.submit({"x": [4, 5]}, rows=2, key="k")
    await bench.finish_all()
    assert bench.batches == [[1, 2], [3, 4, 5]]
    for item, expected in ((described, [2, 4]), (keyed, [6])):
        assert item.result()["y"].dtype == np.float32
        assert answer(item) == expected


@pytest.mark.parametrize("value", [7, 7.5])
async def test_a_scalar_runs_as_it_came(value: float) -> None:
    bench = Bench(FOUR, lambda inputs: {"y": inputs["x"] * 2})
    items = [bench.batcher.submit({"x": np.array(value)}) for _ in range(2)]
    await bench.finish_all()
    assert [item.result()["y"].item() for item in items] == [2 * value] * 2


async def test_what_runs_alone_is_not_filled_up_to_an_allowed_size() -> None:
    off = Bench(BatchPolicy(max_batch_size=4, allowed_batch_sizes=(4,), enabled=False))
    items = [off.submit(n) for n in (1, 2)]
    await off.finish_all()
    assert off.batches == [[1], [2]]
    assert [answer(item) for item in items] == [[2], [4]]


async def test_incompatible_inputs_are_refused() -> None:
    bench = Bench(BatchPolicy(padding=Padding({"x": PadInput()})))
    with pytest.raises(IncompatibleItem):
        bench.submit(1)
    assert bench.batcher.statistics().submitted == 0
    assert bench.batcher.statistics().waiting_rows == 0


async def test_a_key_that_cannot_be_one_is_not_counted() -> None:
    bench = Bench(FOUR)
    with pytest.raises(TypeError):
        bench.submit(1, rows=1, key=["unhashable"])
    stats = bench.batcher.statistics()
    assert (stats.submitted, stats.waiting_rows, stats.waiting_items) == (0, 0, 0)


async def test_an_answered_item_lets_go_of_its_inputs() -> None:
    bench = Bench(FOUR)
    item = bench.submit(1)
    assert item.inputs
    await bench.finish()
    assert not item.inputs


async def test_no_answer_shares_memory_with_the_inputs_of_another() -> None:
    bench = Bench(FOUR, lambda inputs: {"y": inputs["x"]})
    sent = [rows(1), rows(2)]
    items = [bench.batcher.submit(inputs) for inputs in sent]
    await bench.finish()
    for inputs in sent:
        inputs["x"][:] = math.nan
    assert [answer(item) for item in items] == [[1], [2]]


async def test_defaults() -> None:
    bench = Bench()
    assert bench.batcher.policy == BatchPolicy()
    assert bench.batcher.name == "batcher"
    assert bench.batcher.predicted_seconds() == math.inf
    bench.batcher.latency.record(4, 0.125)
    assert bench.batcher.predicted_seconds() == pytest.approx(1.0)


async def test_a_full_queue_of_a_closed_batcher_says_closed() -> None:
    bench = Bench(BatchPolicy(max_batch_size=1, max_queue_rows=1))
    bench.batcher.close()
    with pytest.raises(Closed):
        bench.submit(1, 2, 3)
