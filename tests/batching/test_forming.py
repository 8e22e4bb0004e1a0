"""Forming by length: who joins a batch whose items are padded to each other."""

import numpy as np
import pytest

from batching import BatchPolicy, Padding, PadInput
from tests.batching.entries import play
from tests.batching.harness import Arrays, Bench


def by_length(
    *, size: int = 4, max_waste: float = 0.25, patience: float = 1.0, timeout: float = 0.0
) -> BatchPolicy:
    padding = Padding({"x": PadInput()}, max_waste=max_waste, patience=patience)
    return BatchPolicy(max_batch_size=size, padding=padding, batch_timeout=timeout)


@pytest.mark.parametrize(
    ("max_waste", "script", "expected"),
    [
        pytest.param(0.0, "a1~5 b1~9 c1~5 take take", ["a c full", "b idle"], id="equal-only"),
        pytest.param(0.25, "a1~6 b1~10 take", ["a b idle"], id="a-fifth"),
        pytest.param(0.25, "a1~5 b1~10 take", ["a b idle"], id="exactly-a-quarter"),
        pytest.param(0.25, "a1~4 b1~10 take take", ["a full", "b idle"], id="three-tenths"),
        pytest.param(0.25, "a1~10 b1~4 take take", ["a full", "b idle"], id="a-long-one-is-oldest"),
        pytest.param(0.25, "a3~5 b1~10 take", ["a full"], id="rows-are-weighed"),
        pytest.param(0.25, "a1~5 b3~10 take", ["a b full"], id="many-long-rows"),
        pytest.param(1.0, "a1~1 b1~999 take", ["a b idle"], id="anything-goes"),
        pytest.param(0.25, "a1~10 b1~9 c1~5 take", ["a b c idle"], id="average-counts"),
    ],
)
def test_max_waste(max_waste: float, script: str, expected: list[str]) -> None:
    assert play(by_length(max_waste=max_waste), script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            "a1~10 b1~13 c1~12 d1~11 e1~9 take take",
            ["a d e c full", "b idle"],
            id="nearest-first",
        ),
        pytest.param("a1~10 b1~11 c1~9 d1~11 e1~9 take", ["a b c d full"], id="ties-by-arrival"),
        pytest.param("a1~10 b4~10 c3~11 take", ["a c full"], id="next-nearest-that-fits"),
        pytest.param("a1/x~9 b1/y~9 c1/x~9 take", ["a c idle"], id="keys-are-never-mixed"),
        pytest.param("a1~50 b1~1 c1~1 take take", ["a full", "b c idle"], id="the-oldest-decides"),
    ],
)
def test_nearest_lengths_join_first(script: str, expected: list[str]) -> None:
    assert play(by_length(), script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("a1~1 b1~99 @0.9 take", ["a full"], id="young"),
        pytest.param("a1~1 b1~99 @1 take", ["a b idle"], id="overdue"),
        pytest.param("a1~1 b1~99 c3~1 @1 take", ["a b full"], id="before-nearer-ones"),
        pytest.param(
            "a1~1 b1~99 @0.9 c2~1 @1 take", ["a b full"], id="waste-counts-for-the-others"
        ),
        pytest.param("a1~1 b1~99 c1~50 d1~9 e1~2 @1 take", ["a b c d full"], id="by-arrival"),
        pytest.param("a3~1 b2~9 c1~1 @1 take take", ["a c full", "b idle"], id="only-if-it-fits"),
    ],
)
def test_patience(script: str, expected: list[str]) -> None:
    assert play(by_length(), script) == expected


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
    ],
)
def test_oversized(script: str, expected: list[str]) -> None:
    assert play(by_length(), script) == expected


def test_only_some_batches_worth_of_waiting_rows_are_looked_at() -> None:
    policy = by_length(size=2, max_waste=0.0)
    far = " ".join(f"{name}1~50" for name in "bcdefghi")
    assert play(policy, f"a1~9 {far} z1~9 take take")[0] == "a full"


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
    padding = Padding({"x": PadInput(buckets=(4, 8))}, trim={"y": {1: ("x", 1)}}, max_waste=1.0)
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
    bench = Bench(by_length(), lambda inputs: {"y": inputs["x"]})
    items = [bench.batcher.submit({"x": np.ones((1, n), np.float32)}) for n in (3, 40, 3, 41)]
    await bench.finish_all()
    assert [np.shape(batch) for batch in bench.batches] == [(2, 3), (2, 41)]
    assert all(item.done() for item in items)
