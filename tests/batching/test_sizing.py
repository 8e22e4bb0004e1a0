"""How large a batch may grow, by what is known of the run times."""

from __future__ import annotations

import random

import pytest

from batching import BatchPolicy, Padding, PadInput
from batching.sizing import RETRY_EVERY, TRIAL_EVERY, Sizer

AUTO = BatchPolicy(max_batch_size=512, first_batch_size=32)


def known(
    fixed: float, per_row: float, policy: BatchPolicy = AUTO, sizes: tuple[int, ...] = (1, 8, 32)
) -> Sizer:
    """A sizer that has seen each size three times."""
    sizer = Sizer(policy)
    for rows in sizes * 3:
        sizer.record(rows, rows, fixed + per_row * rows)
    return sizer


def taken(
    sizer: Sizer, fixed: float, per_row: float, batches: int, waiting: int = 512
) -> list[int]:
    """Rows of the next batches while so many rows wait."""
    sizes = []
    for _ in range(batches):
        rows = min(waiting, sizer.limit(waiting).rows)
        sizer.record(rows, rows, fixed + per_row * rows)
        sizes.append(rows)
    return sizes


@pytest.mark.parametrize(
    ("fixed", "per_row", "rows"),
    [
        pytest.param(0.0, 0.015, 1, id="nothing-to-gain"),
        pytest.param(0.0003, 0.015, 1, id="next-to-nothing"),
        pytest.param(0.00045, 0.0014, 13, id="a-little"),
        pytest.param(0.0028, 0.0003, 64, id="much-twice-what-was-seen"),
        pytest.param(0.00005, 0.0000006, 64, id="nearly-free"),
        pytest.param(0.005, 0.0, 64, id="only-a-fixed-part"),
    ],
)
def test_a_batch_ends_where_more_rows_no_longer_pay(
    fixed: float, per_row: float, rows: int
) -> None:
    assert known(fixed, per_row).limit(10).rows == rows
    assert known(fixed, per_row).rows == rows


def test_batches_grow_with_what_has_run_well_up_to_the_most() -> None:
    sizer = known(0.00005, 0.0000006)
    sizes = taken(sizer, 0.00005, 0.0000006, 500, waiting=600)
    assert sizes == sorted(sizes)
    assert set(sizes) == {64, 128, 256, 512}


def test_batches_beyond_the_first_size_do_not_run_long() -> None:
    assert known(1.0, 0.01, sizes=(1, 8, 32, 128)).limit(10).rows == 32
    assert known(0.1, 0.001, sizes=(1, 8, 32, 128)).limit(10).rows in (99, 100)


def test_until_enough_is_known_batches_are_of_the_first_size_but_not_long() -> None:
    sizer = Sizer(AUTO)
    assert sizer.limit(10).rows == 32
    sizer.record(1, 1, 5.0)
    assert sizer.limit(10).rows == 32, "the first run may have taken any time"
    sizer.record(1, 1, 0.010)
    assert sizer.limit(3).rows == 5


def test_a_user_s_size_is_kept_to() -> None:
    policy = BatchPolicy(max_batch_size=16)
    assert Sizer(policy).limit(10).rows == 16
    assert known(0.005, 0.0, policy, (1, 8, 16)).limit(10).rows == 16
    assert known(0.0, 0.015, policy, (1, 8, 16)).limit(10).rows == 1


def test_without_adapting_batches_take_what_waits() -> None:
    policy = BatchPolicy(max_batch_size=16, adaptive=False)
    sizer = known(0.0, 0.015, policy, (1, 8, 16))
    sizer.too_large(16)
    assert sizer.limit(100, free=4).rows == 16


@pytest.mark.parametrize(
    ("fixed", "per_row", "waiting", "free", "rows"),
    [
        pytest.param(0.002, 0.01, 8, 2, 4, id="slow-rows-are-spread"),
        pytest.param(0.002, 0.01, 30, 2, 7, id="up-to-what-pays"),
        pytest.param(0.002, 0.01, 9, 2, 5, id="odd"),
        pytest.param(0.002, 0.01, 3, 4, 1, id="more-executors-than-rows"),
        pytest.param(0.0051, 0.0005, 8, 2, 5, id="not-worth-another-fixed-part"),
        pytest.param(0.0051, 0.0005, 30, 2, 15, id="worth-it"),
        pytest.param(0.00005, 0.0000006, 30, 2, 64, id="nearly-free"),
    ],
)
def test_rows_are_spread_over_free_executors_where_that_pays(
    fixed: float, per_row: float, waiting: int, free: int, rows: int
) -> None:
    assert known(fixed, per_row).limit(waiting, free).rows == rows


def test_who_waits_for_full_batches_gets_them() -> None:
    policy = BatchPolicy(max_batch_size=512, first_batch_size=32, batch_timeout=0.01)
    assert known(0.001, 0.01, policy).limit(8, free=2).rows == 3
    assert known(0.001, 0.002, policy).limit(8, free=2).rows == 18


def test_a_share_of_the_batches_tries_other_sizes() -> None:
    fixed, per_row = 0.0028, 0.0003
    sizer = known(fixed, per_row, sizes=(1, 8, 32, 128))
    taken(sizer, fixed, per_row, 10 * TRIAL_EVERY)
    sizes = taken(sizer, fixed, per_row, 10 * TRIAL_EVERY)
    usual = max(set(sizes), key=sizes.count)
    others = [rows for rows in sizes if rows != usual]
    assert 2 <= len(others) <= 10
    assert {min(others) < usual, max(others) > usual} == {True}


def test_while_little_is_known_every_other_full_batch_is_a_trial() -> None:
    sizer = Sizer(AUTO)
    sizes = taken(sizer, 0.0028, 0.0003, 16, waiting=64)
    assert set(sizes) == {8, 32, 64}
    assert sizes.count(32) >= 8
    assert sizer.latency.settled


def test_short_batches_need_no_trials() -> None:
    assert set(taken(known(0.00005, 0.0000006), 0.00005, 0.0000006, 400, waiting=80)) <= {64, 80}


def test_nothing_is_tried_while_everything_fits() -> None:
    sizer = known(0.0028, 0.0003)
    assert {sizer.limit(waiting).rows for waiting in range(1, 64)} == {64}


@pytest.mark.parametrize("first", [0.0001, 0.03])
def test_a_change_of_the_model_is_followed_under_constant_load(first: float) -> None:
    """Batching pays a lot and then no more, or the other way round."""
    other = 0.03 if first == 0.0001 else 0.0001
    sizer = known(first, 0.001)
    before = taken(sizer, first, 0.001, 50)[-1]
    after = taken(sizer, other, 0.001, 2000)
    assert (before > 60) == (first > other)
    usual = max(set(after[-200:]), key=after[-200:].count)
    assert (usual > 60) == (other > first)


def test_an_outlier_does_not_collapse_the_batch() -> None:
    sizer = known(0.0028, 0.0003)
    for rows in (1, 8, 32):
        sizer.record(rows, rows, 30.0)
        assert sizer.limit(10).rows >= 50


def test_a_size_that_failed_is_avoided_for_a_while() -> None:
    fixed, per_row = 0.0028, 0.0003
    sizer = known(fixed, per_row, sizes=(1, 8, 32, 64, 64))
    assert sizer.limit(10).rows == 128
    sizer.too_large(128)
    assert sizer.limit(10).rows == 64
    assert max(taken(sizer, fixed, per_row, RETRY_EVERY - 1)) == 64
    assert max(taken(sizer, fixed, per_row, 2)) == 128


@pytest.mark.parametrize(
    ("fixed", "waiting", "rows"),
    [
        (0.0, 100, 4),
        (0.0, 5, 4),
        (1.0, 100, 64),
        (1.0, 20, 64),
        (1.0, 17, 16),
        (1.0, 5, 16),
        (1.0, 4, 4),
    ],
)
def test_allowed_sizes(fixed: float, waiting: int, rows: int) -> None:
    policy = BatchPolicy(max_batch_size=64, allowed_batch_sizes=(4, 16, 64))
    assert known(fixed, 0.01 / 4, policy, (4, 16, 64)).limit(waiting).rows == rows


def test_padded_rows_are_limited_by_entries() -> None:
    policy = BatchPolicy(
        max_batch_size=512, first_batch_size=32, padding=Padding({"x": PadInput()})
    )
    sizer = Sizer(policy)
    assert sizer.limit(100) == (32, float("inf"), None)
    for rows, length in [(1, 10), (8, 10), (8, 100)] * 3:
        sizer.record(rows, rows * length, 0.0029 + 0.0001 * rows * length)
    limit = sizer.limit(10)
    assert limit.rows == 512
    assert limit.fixed_cells == pytest.approx(30, rel=0.01)
    assert limit.cells == pytest.approx(1000, rel=0.01)


def test_noise_does_not_make_an_unbatchable_model_batch() -> None:
    rng = random.Random(5)
    sizer = Sizer(AUTO)
    sizes = []
    for _ in range(1000):
        rows = min(64, sizer.limit(64).rows)
        sizer.record(rows, rows, 0.015 * rows * rng.lognormvariate(0, 0.1))
        sizes.append(rows)
    assert sum(sizes[100:]) / 900 < 12
