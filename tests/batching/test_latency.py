"""The online fit of a batch's run time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching import LatencyModel

FIXED, PER_ROW = 0.0028, 0.00032


def learned(*batches: tuple[float, float]) -> LatencyModel:
    model = LatencyModel()
    for rows, seconds in batches:
        model.record(rows, seconds)
    return model


def line(rows: float, fixed: float = FIXED, per_row: float = PER_ROW) -> float:
    return fixed + per_row * rows


def test_nothing_learned() -> None:
    model = LatencyModel()
    assert not model.learned
    assert model.parameters() == (0.0, 0.0)
    assert model.predict(32) == 0.0


@pytest.mark.parametrize("fixed", [0.0, 0.002, 1.5])
@pytest.mark.parametrize("per_row", [0.0, 0.0001, 0.3])
def test_a_line_is_found_exactly(fixed: float, per_row: float) -> None:
    model = learned(*((rows, fixed + per_row * rows) for rows in (1, 8, 32, 3, 16)))
    assert model.parameters() == pytest.approx((fixed, per_row), abs=1e-9)
    assert model.predict(64) == pytest.approx(fixed + per_row * 64)


@pytest.mark.parametrize("times", [1, 2, 100])
def test_one_size_only_gives_a_line_through_the_origin(times: int) -> None:
    model = learned(*[(4, 0.2)] * times)
    assert model.parameters() == pytest.approx((0.0, 0.05))
    assert model.predict(8) == pytest.approx(0.4)
    assert not model.settled


def test_it_is_settled_by_three_runs_each_of_sizes_far_apart() -> None:
    assert not learned(*((rows, line(rows)) for rows in [8] * 9 + [16] * 9)).settled
    runs = [(rows, line(rows)) for rows in (8, 8, 8, 32, 32)]
    assert not learned(*runs).settled
    assert learned(*runs, (32, line(32))).settled


def test_time_that_falls_with_size_is_taken_as_constant() -> None:
    fixed, per_row = learned((1, 0.3), (2, 0.2), (4, 0.1)).parameters()
    assert per_row == 0.0
    assert 0.1 < fixed < 0.3


def test_a_negative_fixed_part_is_taken_as_none() -> None:
    fixed, per_row = learned((1, 0.0), (2, 1.0), (3, 2.0)).parameters()
    assert fixed == 0.0
    assert per_row > 0


def test_the_largest_size_is_one_that_was_seen_twice() -> None:
    assert learned((8, 1.0), (8, 1.0), (64, 2.0)).largest == 8
    assert learned((8, 1.0), (8, 1.0), (64, 2.0), (64, 2.0)).largest == 64


def test_short_runs_are_learned_from_now_and_then() -> None:
    model = LatencyModel()
    news = [model.record(rows, 5e-6) for rows in [1, 8] * 500]
    assert all(news[:16])
    assert 2 <= sum(news[16:]) <= 20
    assert all(model.record(8, 0.002) for _ in range(5)), "long runs at once"


@pytest.mark.parametrize("factor", [0.2, 0.5, 3.0])
@pytest.mark.parametrize("sizes", [[16], [1, 4, 16, 64]], ids=["one-size", "many-sizes"])
def test_a_change_of_speed_shows_within_a_few_runs_and_leaves_the_shape(
    factor: float, sizes: list[int]
) -> None:
    model = learned(*((rows, line(rows)) for rows in [1, 4, 16, 64] * 20))
    for rows in sizes * (8 // len(sizes)):
        model.record(rows, factor * line(rows))
    for rows in (1, 64, 500):
        assert model.predict(rows) == pytest.approx(factor * line(rows), rel=1e-6)


def test_another_shape_is_learned_where_sizes_vary() -> None:
    model = learned(*((rows, line(rows)) for rows in [1, 4, 16, 64] * 20))
    for rows in [1, 4, 16, 64] * 30:
        model.record(rows, 0.001 * rows)
    fixed, per_row = model.parameters()
    assert fixed < per_row * 0.1


def shape(model: LatencyModel) -> float:
    """How many rows take as long as the fixed part."""
    fixed, per_row = model.parameters()
    return fixed / per_row


@pytest.mark.parametrize("rows", [1, 16, 64])
def test_one_outlier_changes_little(rows: int) -> None:
    model = learned(*((rows, line(rows)) for rows in [1, 16, 64] * 10))
    model.record(rows, 50.0)
    assert shape(model) == pytest.approx(FIXED / PER_ROW, rel=0.05)
    assert model.predict(32) == pytest.approx(line(32), rel=0.05)


def test_slow_first_runs_are_forgotten_with_the_second() -> None:
    model = learned(
        *((rows, 3.0) for rows in (1, 8, 32)), *((rows, line(rows)) for rows in (1, 8, 32))
    )
    assert model.predict(32) == pytest.approx(line(32))


Phase = Callable[[int], float]


def quiet(run: int) -> float:
    return 1.0


def by_turns(run: int) -> float:
    return 3.0 if run // 50 % 2 else 1.0


def saw_tooth(run: int) -> float:
    return 1 + 2 * (run % 100) / 100


def mixed(run: int, rng: random.Random) -> int:
    return rng.choice([1, 2, 5, 8, 16, 30])


def mostly_32(run: int, rng: random.Random) -> int:
    return 32 if run % 64 else (8 if run % 128 else 128)


def mostly_1(run: int, rng: random.Random) -> int:
    return 1 if run % 64 else 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("phase", [quiet, by_turns, saw_tooth])
@pytest.mark.parametrize("sizes", [mixed, mostly_32, mostly_1])
def test_the_shape_is_found_in_noise(
    sizes: Callable[[int, random.Random], int], phase: Phase, seed: int
) -> None:
    rng = random.Random(seed)
    model = LatencyModel()
    for run in range(2000):
        rows = sizes(run, rng)
        seconds = line(rows) * rng.lognormvariate(0, 0.2) * phase(run)
        model.record(rows, seconds * (30 if rng.random() < 0.02 else 1))
    assert 0.4 < shape(model) / (FIXED / PER_ROW) < 2.5


sizes = st.integers(1, 512)
durations = st.floats(0, 100, allow_nan=False)


@given(st.lists(st.tuples(sizes, durations), min_size=1, max_size=60))
def test_predictions_are_never_negative_and_never_fall_with_size(
    batches: list[tuple[int, float]],
) -> None:
    model = learned(*batches)
    assert model.learned
    fixed, per_row = model.parameters()
    assert fixed >= 0
    assert per_row >= 0
    assert model.predict(2) >= model.predict(1) >= 0


@given(
    st.lists(sizes, min_size=2, max_size=30, unique_by=int.bit_length),
    st.floats(1e-4, 1),
    st.floats(1e-5, 1),
)
def test_any_two_sizes_of_different_classes_are_enough(
    rows: list[int], fixed: float, per_row: float
) -> None:
    model = learned(*((n, fixed + per_row * n) for n in rows))
    for n in rows:
        assert model.predict(n) == pytest.approx(fixed + per_row * n, rel=1e-3)
