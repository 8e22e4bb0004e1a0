"""A batch that fails: the culprits get their own error, the others their own answer."""

from __future__ import annotations

import itertools
import math

import pytest

from batching import BatchDone, BatchFailed, BatchPolicy, Item
from batching.isolation import RerunBudget
from tests.batching.harness import Arrays, Bench, Culprit, answer, double


async def run_batch(bench: Bench, values: list[int]) -> list[Item]:
    """One item per value, all in one batch that has come back."""
    items = [bench.submit(value) for value in values]
    await bench.finish()
    assert not bench.running
    return items


def values_with(count: int, *culprits: int) -> list[int]:
    return [-value - 1 if value in culprits else value + 1 for value in range(count)]


def assert_each_has_its_own(items: list[Item], values: list[int]) -> None:
    """Exact answers, and for each culprit the error that it raises by itself."""
    for item, value in zip(items, values, strict=True):
        if value > 0:
            assert answer(item) == [2 * value]
        else:
            error = item.exception()
            assert isinstance(error, Culprit)
            assert error.args == (value,)


@pytest.mark.parametrize("count", range(1, 34))
async def test_one_culprit_at_each_position(count: int) -> None:
    for position in range(count):
        bench = Bench(BatchPolicy(max_batch_size=33))
        values = values_with(count, position)
        items = await run_batch(bench, values)
        assert_each_has_its_own(items, values)
        assert len(bench.batches) <= 2 * math.log2(count) + 1
        assert bench.batcher.statistics().reruns == len(bench.batches) - 1


@pytest.mark.parametrize(
    "culprits", [*itertools.combinations(range(5), 2), *itertools.combinations(range(5), 4)]
)
async def test_several_culprits(culprits: tuple[int, ...]) -> None:
    bench = Bench()
    values = values_with(5, *culprits)
    assert_each_has_its_own(await run_batch(bench, values), values)


@pytest.mark.parametrize("policy", [
    BatchPolicy(max_batch_size=16),
    BatchPolicy(max_batch_size=16, allowed_batch_sizes=(4, 16)),
])  # fmt: skip
async def test_every_item_is_a_culprit(policy: BatchPolicy) -> None:
    bench = Bench(policy)
    values = values_with(16, *range(16))
    assert_each_has_its_own(await run_batch(bench, values), values)
    assert len(bench.batches) <= 31
    stats = bench.batcher.statistics()
    assert (stats.failed, stats.answered) == (16, 0)


async def test_rounding_to_allowed_sizes_does_not_change_who_is_to_blame() -> None:
    bench = Bench(BatchPolicy(max_batch_size=8, allowed_batch_sizes=(2, 8)))
    values = values_with(7, 6)
    assert_each_has_its_own(await run_batch(bench, values), values)
    assert {len(batch) for batch in bench.batches} == {8, 2}


async def test_an_item_alone_in_its_batch_is_not_run_again() -> None:
    bench = Bench()
    [item] = await run_batch(bench, [-1])
    assert isinstance(item.exception(), Culprit)
    assert bench.batches == [[-1]]


async def test_items_of_several_rows_are_not_torn_apart() -> None:
    bench = Bench()
    items = [bench.submit(1, 2), bench.submit(3, -4, 5), bench.submit(6)]
    await bench.finish()
    assert answer(items[0]) == [2, 4]
    assert isinstance(items[1].exception(), Culprit)
    assert answer(items[2]) == [12]
    assert [3, -4, 5] in bench.batches


async def test_the_rest_of_a_split_item_leaves_once_a_part_has_failed() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4))
    split, neighbour = bench.submit(-1, *range(2, 15)), bench.submit(20)
    await bench.finish()
    assert isinstance(split.exception(), Culprit)
    # The second part was sealed before the first came back.
    assert bench.batcher.statistics().waiting_rows == 1
    await bench.finish_all()
    assert answer(neighbour) == [40]
    assert bench.batches == [[-1, 2, 3, 4], [20]]


async def test_a_failure_that_heals_is_nobody_s_fault() -> None:
    failures = [RuntimeError("hiccup")]

    def flaky(inputs: Arrays) -> Arrays:
        if failures:
            raise failures.pop()
        return double(inputs)

    bench = Bench(run=flaky)
    values = values_with(6)
    assert_each_has_its_own(await run_batch(bench, values), values)


async def test_switched_off() -> None:
    bench = Bench(BatchPolicy(isolate=False))
    items = await run_batch(bench, values_with(4, 2))
    assert len(bench.batches) == 1
    for item in items:
        error = item.exception()
        assert isinstance(error, BatchFailed)
        assert isinstance(error.__cause__, Culprit)
    [own] = await run_batch(bench, [-1])
    assert isinstance(own.exception(), Culprit)


async def test_max_reruns() -> None:
    bench = Bench(BatchPolicy(max_reruns=2))
    items = await run_batch(bench, values_with(8, 7))
    # Runs: all eight, the first four, the next two. Nothing is known of the last two.
    assert [len(batch) for batch in bench.batches] == [8, 4, 2]
    assert [answer(item) for item in items[:6]] == [[2 * n] for n in range(1, 7)]
    assert all(isinstance(item.exception(), BatchFailed) for item in items[6:])


@pytest.mark.parametrize(
    "policy", [BatchPolicy(max_reruns=0), BatchPolicy(rerun_seconds_per_minute=0.0)]
)
async def test_no_reruns_at_all(policy: BatchPolicy) -> None:
    bench = Bench(policy)
    items = await run_batch(bench, values_with(4, 0))
    assert len(bench.batches) == 1
    assert all(isinstance(item.exception(), BatchFailed) for item in items)


async def test_device_time_for_reruns_is_bounded_and_comes_back() -> None:
    def slow(inputs: Arrays) -> Arrays:
        bench.clock.advance(1.0)
        return double(inputs)

    bench = Bench(BatchPolicy(rerun_seconds_per_minute=1.9), slow)
    values = values_with(16, 15)
    items = await run_batch(bench, values)
    # Two re-runs of a second each use it up: the first eight, then the next four.
    assert [len(batch) for batch in bench.batches] == [16, 8, 4]
    assert [answer(item) for item in items[:12]] == [[2 * n] for n in range(1, 13)]
    assert all(isinstance(item.exception(), BatchFailed) for item in items[12:])
    bench.clock.advance(60.0)
    values = values_with(2, 0)
    assert_each_has_its_own(await run_batch(bench, values), values)


def test_rerun_budget() -> None:
    budget = RerunBudget(6.0)
    assert budget.allows(0.0)
    budget.spend(7.0)
    assert not budget.allows(0.0)
    assert not budget.allows(10.0)
    assert budget.allows(10.1)
    assert budget.allows(1000.0)
    budget.spend(5.9)
    assert budget.allows(1000.0)
    budget.spend(0.2)
    assert not budget.allows(1000.0), "the bucket holds a minute's worth and no more"


class Exit(BaseException):
    """What a library might raise to end the process."""


async def test_stop_iteration_fails_its_item_only() -> None:
    def stops(inputs: Arrays) -> Arrays:
        if (inputs["x"] < 0).any():
            raise StopIteration("end")
        return double(inputs)

    bench = Bench(run=stops)
    items = await run_batch(bench, values_with(3, 1))
    assert [answer(items[0]), answer(items[2])] == [[2], [6]]
    error = items[1].exception()
    assert isinstance(error, BatchFailed)
    assert isinstance(error.__cause__, StopIteration)


@pytest.mark.parametrize("raised", [Exit(), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
async def test_what_is_no_exception_fails_the_batch_and_not_the_batcher(
    raised: BaseException,
) -> None:
    def exits(inputs: Arrays) -> Arrays:
        if (inputs["x"] < 0).any():
            raise raised
        return double(inputs)

    bench = Bench(run=exits)
    items = await run_batch(bench, values_with(3, 1))
    for item in items:
        error = item.exception()
        assert isinstance(error, BatchFailed)
        assert error.__cause__ is raised
    assert_each_has_its_own(await run_batch(bench, [4]), [4])


async def test_the_record_of_a_batch_that_was_run_again() -> None:
    bench = Bench()
    await run_batch(bench, values_with(4, 0))
    [done] = [event for event in bench.events if isinstance(event, BatchDone)]
    assert (done.rows, done.items, done.failed_items, done.reruns) == (4, 4, 1, 4)
    assert not bench.batcher.latency.learned, "a batch with re-runs says nothing of run times"


async def test_who_is_given_up_meanwhile_does_not_run_again() -> None:
    items: list[Item] = []

    def double_and_lose_the_first(inputs: Arrays) -> Arrays:
        items[0].cancel()
        return double(inputs)

    bench = Bench(run=double_and_lose_the_first)
    items += [bench.submit(value) for value in (1, 2, -3, 4)]
    await bench.finish()
    assert items[0].cancelled()
    assert [1.0] not in bench.batches
    assert all(1.0 not in batch for batch in bench.batches[1:])
    assert_each_has_its_own(items[1:], [2, -3, 4])
