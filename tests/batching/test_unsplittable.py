"""Functions whose outputs have no row axis: everybody gets the answer of a run alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from batching import (
    BatchDone,
    BatchFailed,
    BatchingDisabled,
    BatchPolicy,
    BatchReleased,
    Item,
    Padding,
    PadInput,
)
from batching.testing import settle
from tests.batching.harness import Arrays, Bench, Culprit

ANY = np.zeros(())
ROUNDED = BatchPolicy(max_batch_size=8, allowed_batch_sizes=(4, 8))


def total(inputs: Arrays) -> Arrays:
    x = inputs["x"]
    if (bad := x[x < 0]).size:
        raise Culprit(*np.unique(bad).tolist())
    return {"total": np.asarray(x.sum())}


def result(item: Item) -> float:
    return float(item.result()["total"].item())


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda inputs: {"total": inputs["x"].sum()}, id="scalar"),
        pytest.param(lambda inputs: {"total": inputs["x"].sum(keepdims=True)}, id="one-row"),
        pytest.param(
            lambda inputs: {"y": inputs["x"], "total": inputs["x"].sum()}, id="beside-rows"
        ),
    ],
)
async def test_everybody_is_answered_as_if_alone(function: Callable[[Arrays], Arrays]) -> None:
    bench = Bench(run=function)
    items = [bench.submit(1, 2), bench.submit(3), bench.submit(4, 5, 6)]
    await bench.finish()
    assert [result(item) for item in items] == [3, 3, 15]
    assert bench.batches == [[1, 2, 3, 4, 5, 6], [1, 2], [3], [4, 5, 6]]


async def test_later_items_run_alone_and_it_is_told_once() -> None:
    bench = Bench(run=total)
    first = [bench.submit(n) for n in (1, 2)]
    await bench.finish()
    assert not bench.batcher.statistics().enabled
    [told] = [event for event in bench.events if isinstance(event, BatchingDisabled)]
    assert told.reason == "output 'total' has shape [], not 2 rows"
    later = [bench.submit(n) for n in (3, 4, 5)]
    await bench.finish_all()
    assert [result(item) for item in first + later] == [1, 2, 3, 4, 5]
    assert bench.batches[-3:] == [[3], [4], [5]]
    assert sum(isinstance(event, BatchingDisabled) for event in bench.events) == 1


async def test_it_is_told_once_when_several_batches_find_it() -> None:
    bench = Bench(BatchPolicy(max_batch_size=2), total, devices=2)
    items = [bench.submit(n) for n in (1, 2, 3, 4)]
    await settle()
    assert bench.running == 2
    await bench.finish_all()
    assert [result(item) for item in items] == [1, 2, 3, 4]
    assert sum(isinstance(event, BatchingDisabled) for event in bench.events) == 1


async def test_items_that_wait_when_it_is_found_run_alone_too() -> None:
    bench = Bench(BatchPolicy(max_batch_size=2), total)
    items = [bench.submit(n) for n in (1, 2, 3, 4, 5)]
    # The third and fourth are sealed before the answer of the first two is looked at.
    await bench.finish_all()
    assert [result(item) for item in items] == [1, 2, 3, 4, 5]
    released = [event for event in bench.events if isinstance(event, BatchReleased)]
    assert [event.reason for event in released] == ["full", "full", "alone"]


@pytest.mark.parametrize("padding", [None, Padding({"x": PadInput()})], ids=["plain", "padded"])
async def test_an_item_that_always_was_alone_does_not_switch_batching_off(
    padding: Padding | None,
) -> None:
    bench = Bench(BatchPolicy(padding=padding), total)
    for n in (1, 2):
        item = bench.batcher.submit({"x": np.full((2, 3), n)})
        await bench.finish()
        assert result(item) == 6 * n
    assert len(bench.batches) == 2
    assert bench.batcher.statistics().enabled


async def test_a_culprit_among_them() -> None:
    bench = Bench(run=lambda inputs: total(inputs) if len(inputs["x"]) == 1 else {"total": ANY})
    items = [bench.submit(n) for n in (1, -2, 3)]
    await bench.finish()
    assert [result(items[0]), result(items[2])] == [1, 3]
    assert isinstance(items[1].exception(), Culprit)


@pytest.mark.parametrize("policy", [BatchPolicy(), ROUNDED], ids=["any-size", "rounded"])
@pytest.mark.parametrize("values", [(-1, 2, 3), (1, -2, 3, 4), (1, 2, 3, -4)])
async def test_found_while_a_culprit_is_looked_for(
    policy: BatchPolicy, values: tuple[int, ...]
) -> None:
    bench = Bench(policy, total)
    items = [bench.submit(value) for value in values]
    await bench.finish()
    for item, value in zip(items, values, strict=True):
        if value > 0:
            assert result(item) == value
        else:
            assert isinstance(item.exception(), Culprit)
    later = [bench.submit(n) for n in (5, 6)]
    await bench.finish_all()
    assert [result(item) for item in later] == [5, 6]


@pytest.mark.parametrize(
    ("sizes", "values"), [((), (1, 2, 3)), ((4, 8), (1,))], ids=["stacked", "rounded"]
)
async def test_nothing_is_run_again_for_a_function_that_must_not_see_a_row_twice(
    sizes: tuple[int, ...], values: tuple[int, ...]
) -> None:
    policy = BatchPolicy(max_batch_size=8, allowed_batch_sizes=sizes, isolate=False)
    bench = Bench(policy, total)
    items = [bench.submit(value) for value in values]
    await bench.finish()
    assert len(bench.batches) == 1
    assert all(isinstance(item.exception(), BatchFailed) for item in items)
    later = bench.submit(7)
    await bench.finish()
    assert result(later) == 7


async def test_rounding_up_is_undone_for_an_item_by_itself() -> None:
    bench = Bench(ROUNDED, total)
    item = bench.submit(3)
    await bench.finish()
    assert result(item) == 3
    assert bench.batches == [[3, 3, 3, 3], [3]]


async def test_a_split_item_cannot_be_answered_but_its_neighbour_can() -> None:
    bench = Bench(BatchPolicy(max_batch_size=4), total)
    split, neighbour = bench.submit(1, 2, 3, 4, 5, 6), bench.submit(7)
    await bench.finish_all()
    assert isinstance(split.exception(), BatchFailed)
    assert result(neighbour) == 7
    whole = bench.submit(1, 2, 3, 4, 5, 6)
    await bench.finish_all()
    assert result(whole) == 21


async def test_the_rest_of_a_split_item_runs_whole_once_items_run_alone() -> None:
    def run(inputs: Arrays) -> Arrays:
        return total(inputs) if inputs["x"][0] >= 90 else {"y": inputs["x"] * 2}

    bench = Bench(BatchPolicy(max_batch_size=4), run, devices=2)
    # Two items of two rows run on one executor, the first part of a split one on the other.
    for n in (90, 91):
        bench.submit(n, n)
    split = bench.submit(*range(1, 15))
    await bench.finish_all()
    assert [9, 10, 11, 12, 13, 14] in bench.batches
    assert split.result()["y"].tolist() == [2 * n for n in range(1, 15)]


async def test_parts_that_do_not_fit_together_are_a_failed_batch() -> None:
    padding = Padding({"x": PadInput()})
    policy = BatchPolicy(max_batch_size=2, padding=padding)
    bench = Bench(policy, lambda inputs: {"y": inputs["x"]})
    # Its second part is padded to its neighbour's length, and no rule trims it back.
    split = bench.batcher.submit({"x": np.ones((3, 2), np.float32)})
    neighbour = bench.batcher.submit({"x": np.ones((1, 5), np.float32)})
    await bench.finish_all()
    assert isinstance(split.exception(), BatchFailed)
    assert neighbour.result()["y"].shape == (1, 5)


async def test_reruns_are_counted() -> None:
    bench = Bench(run=total)
    [bench.submit(n) for n in (1, 2, 3)]
    await bench.finish()
    [done] = [event for event in bench.events if isinstance(event, BatchDone)]
    assert done.reruns == 3
    assert bench.batcher.statistics().reruns == 3
