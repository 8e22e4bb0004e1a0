"""The online fit of a batch's run time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching import LatencyModel


def learned(*batches: tuple[int, float], decay: float = 0.98) -> LatencyModel:
    model = LatencyModel(decay)
    for rows, seconds in batches:
        model.record(rows, seconds)
    return model


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


def test_time_that_falls_with_size_is_taken_as_constant() -> None:
    model = learned((1, 0.3), (2, 0.2), (3, 0.1), decay=1.0)
    assert model.parameters() == pytest.approx((0.2, 0.0))


def test_a_negative_fixed_part_is_taken_as_none() -> None:
    fixed, per_row = learned((1, 0.0), (2, 1.0), (3, 2.0)).parameters()
    assert fixed == 0.0
    assert per_row > 0


def test_the_past_is_forgotten() -> None:
    model = learned(*((rows, 1.0 * rows) for rows in range(1, 30)))
    for rows in list(range(1, 30)) * 20:
        model.record(rows, 0.01 * rows)
    assert model.predict(10) == pytest.approx(0.1, rel=0.01)


sizes = st.integers(1, 512)
durations = st.floats(0, 100, allow_nan=False)


@given(st.lists(st.tuples(sizes, durations), min_size=1, max_size=40))
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
    st.lists(sizes, min_size=2, max_size=30, unique=True), st.floats(1e-4, 1), st.floats(1e-5, 1)
)
def test_any_two_sizes_are_enough(rows: list[int], fixed: float, per_row: float) -> None:
    model = learned(*((n, fixed + per_row * n) for n in rows))
    for n in rows:
        assert model.predict(n) == pytest.approx(fixed + per_row * n, rel=1e-3)
