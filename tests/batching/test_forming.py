"""Forming by length: who joins a batch whose items are padded to each other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching import BatchPolicy, BatchQueue, Padding, PadInput
from batching.lengths import WINDOW_ROWS
from batching.sizing import Limit
from tests.batching.entries import Entry, play
from tests.batching.harness import Arrays, Bench


def by_length(
    *,
    size: int = 4,
    patience: float = 0.0,
    timeout: float = 0.0,
    allowed: tuple[int, ...] = (),
) -> BatchPolicy:
    padding = Padding({"x": PadInput()}, patience=patience)
    return BatchPolicy(
        max_batch_size=size,
        padding=padding,
        batch_timeout=timeout,
        allowed_batch_sizes=allowed,
    )


@pytest.mark.parametrize(
    ("fixed", "script", "expected"),
    [
        pytest.param(0.1, "a1~5 b1~9 c1~5 take take", ["a c full", "b idle"], id="equal-only"),
        pytest.param(0.1, "a1~10 b1~9 take", ["a full"], id="any-padding-is-too-much"),
        pytest.param(10, "a1~10 b1~9 take", ["a b idle"], id="less-padding-than-the-fixed-part"),
        pytest.param(10, "a1~90 b1~9 take", ["a full"], id="more-padding-than-the-fixed-part"),
        pytest.param(10, "a1~9 b1~90 take", ["a full"], id="a-longer-one-would-pad-the-oldest"),
        pytest.param(100, "a1~9 b1~90 take", ["a b idle"], id="a-large-fixed-part"),
        pytest.param(1e9, "a1~1 b1~999 take", ["a b idle"], id="nothing-but-a-fixed-part"),
        pytest.param(20, "a3~10 b1~15 take", ["a full"], id="rows-are-weighed"),
        pytest.param(
            10,
            "a1~10 b1~40 c1~11 d1~41 e1~9 take take",
            ["a c e full", "b d idle"],
            id="lengths-part-ways",
        ),
        pytest.param(
            10, "a1~10 b1~10 c1~10 d1~10 e1~10 take", ["a b c d full"], id="equals-by-arrival"
        ),
        pytest.param(
            10, "a1~10 b1~11 c1~10 d1~10 e1~10 take", ["a c d e full"], id="nearest-of-too-many"
        ),
        pytest.param(10, "a1/x~9 b1/y~9 c1/x~9 take", ["a c idle"], id="keys-are-never-mixed"),
    ],
)
def test_the_least_excess_a_row(fixed: float, script: str, expected: list[str]) -> None:
    assert play(by_length(), script, Limit(4, fixed_cells=fixed)) == expected


def test_an_unknown_fixed_part_is_that_of_some_average_rows() -> None:
    assert play(by_length(), "a1~10 b1~30 take") == ["a b idle"]
    assert play(by_length(), "a1~10 b1~990 c1~11 take") == ["a c full"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a1~1 b1~9 c1~9 @0.9 take take", ["b c full", "a idle"], id="young"),
        pytest.param("a1~1 b1~9 c1~9 @1 take take", ["a full", "b c idle"], id="overdue"),
        pytest.param("a1~9 @0.9 b1~1 c1~9 @1 take", ["a c full"], id="with-those-it-goes-with"),
        pytest.param("a1~9 b1~9 c1~1 take", ["a b full"], id="cheapest-already"),
    ],
)
def test_patience(script: str, expected: list[str]) -> None:
    assert play(by_length(patience=1.0), script, Limit(4, fixed_cells=1.0)) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            "a9~5 b1~5 take take take",
            ["a[0:4] full", "a[4:8] full", "a[8:9] b idle"],
            id="the-rest-is-shared",
        ),
        pytest.param("a1~5 b9~5 c1~5 take take", ["a c full", "b[0:4] full"], id="at-its-turn"),
        pytest.param(
            "a5~5 b1~5 take -a take", ["a[0:4] full", "b idle"], id="the-rest-is-discarded"
        ),
        pytest.param("a4~5 b1~5 take take", ["a full", "b idle"], id="just-fits"),
    ],
)
def test_oversized(script: str, expected: list[str]) -> None:
    assert play(by_length(), script) == expected


def test_what_a_batch_could_hold_whole_is_not_split_by_a_smaller_limit() -> None:
    assert play(by_length(), "a3~5 b1~6 take take", Limit(2)) == ["a full", "b idle"]
    assert play(by_length(), "a6~5 b1~5 take", Limit(2)) == ["a[0:2] full"]


@pytest.mark.parametrize(
    ("cells", "script", "expected"),
    [
        (20, "a1~10 b1~10 c1~10 take", "a b full"),
        (29, "a1~9 b1~10 c1~10 take", "b c full"),
        (20, "a1~50 b1~50 take", "a full"),
        (20, "a1~50 b1~10 take", "b full"),
        (20, "a1~50 b1~10 @1 take", "a full"),
        (30, "a1~10 b1~10 c1~11 d1~50 take", "a b full"),
    ],
)
def test_entries_of_a_batch_are_limited(cells: float, script: str, expected: str) -> None:
    policy = by_length(patience=1.0)
    assert play(policy, script, Limit(4, cells, 10.0)) == [expected]


def test_allowed_sizes_count_as_what_they_pad_to() -> None:
    script = "a1~10 b1~10 c1~10 take"
    policy = by_length(size=8, allowed=(2, 8))
    assert play(policy, script, Limit(8, fixed_cells=1.0)) == ["a b full"]
    assert play(policy, script, Limit(8, fixed_cells=500.0)) == ["a b c idle"]


def test_only_some_waiting_rows_are_looked_at() -> None:
    queue: BatchQueue[Entry] = BatchQueue(by_length(size=8))
    names = [Entry(f"{number}", length=50) for number in range(WINDOW_ROWS - 1)]
    for entry in [Entry("oldest", length=9), *names, Entry("far", length=9)]:
        queue.offer(entry)
    batch = queue.take(0.0, limit=Limit(8, fixed_cells=1.0))
    assert batch is not None
    assert [entry.name for entry, _, _ in batch.slices] == ["oldest"]


def excess(rows: int, longest: int, real: int, fixed: float) -> float:
    return (fixed + rows * longest - real) / rows


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    size=st.integers(1, 8),
    fixed=st.floats(0.5, 1000),
    patience=st.sampled_from([0.0, 1.0]),
)
def test_no_other_batch_has_less_excess(
    lengths: list[int], size: int, fixed: float, patience: float
) -> None:
    queue: BatchQueue[Entry] = BatchQueue(by_length(size=size, patience=patience))
    entries = [Entry(f"{number}", length=length) for number, length in enumerate(lengths)]
    for entry in entries:
        queue.offer(entry)
    batch = queue.take(0.0, limit=Limit(size, fixed_cells=fixed))
    assert batch is not None
    chosen = [entry.length for entry, _, _ in batch.slices]
    assert patience or batch.slices[0][0] is entries[0]
    least = math.inf
    for count in range(1, min(size, len(lengths)) + 1):
        for others in itertools.combinations(range(len(lengths)), count):
            if patience or others[0] == 0:
                group = [lengths[number] for number in others]
                least = min(least, excess(count, max(group), sum(group), fixed))
    assert excess(len(chosen), max(chosen), sum(chosen), fixed) <= least * (1 + 1e-9)


def test_batch_timeout_and_discard_work_as_without_lengths() -> None:
    policy = by_length(timeout=1.0)
    assert play(policy, "a1~5 @0.5 b1~5 c1~5 -b take @1 take") == ["nothing", "a c timeout"]
    assert play(policy, "a1~5 b3~5 take") == ["a b full"]


@pytest.mark.parametrize(
    ("buckets", "longest", "expected"),
    [
        ((), 7, 7),
        ((8,), 0, 8),
        ((8, 16), 7, 8),
        ((8, 16), 8, 8),
        ((8, 16), 9, 16),
        ((8, 16), 17, 17),
    ],
)
def test_common_length(buckets: tuple[int, ...], longest: int, expected: int) -> None:
    assert PadInput(buckets=buckets).common_length(longest) == expected


async def test_a_batch_is_padded_to_the_bucket_of_its_longest_and_trimmed_back() -> None:
    padding = Padding({"x": PadInput(buckets=(4, 8))}, trim={"y": {1: ("x", 1)}})
    shapes: list[tuple[int, ...]] = []

    def run(inputs: Arrays) -> Arrays:
        shapes.append(inputs["x"].shape)
        return {"y": inputs["x"] + 1}

    bench = Bench(BatchPolicy(padding=padding), run)
    sent = [np.full((1, length), length, np.int64) for length in (2, 5, 3)]
    items = [bench.batcher.submit({"x": array}) for array in sent]
    await bench.finish()
    assert shapes == [(3, 8)]
    for item, array in zip(items, sent, strict=True):
        np.testing.assert_array_equal(item.result()["y"], array + 1)


async def test_lengths_far_apart_run_in_different_batches() -> None:
    bench = Bench(by_length(size=32), lambda inputs: {"y": inputs["x"]})
    lengths = [3, 400] * 8
    items = [bench.batcher.submit({"x": np.ones((1, n), np.float32)}) for n in lengths]
    await bench.finish_all()
    assert [np.shape(batch) for batch in bench.batches] == [(8, 3), (8, 400)]
    assert all(item.done() for item in items)
