"""Does a new version fail more than the old one?"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Code, ServingError
from gateway.models.outcomes import Outcomes, fails_more
from gateway.models.servable import Servable
from gateway.models.trial import Trial
from tests.gateway.fake_backend import FakeModel


def outcomes(answered: int, failed: int) -> Outcomes:
    made = Outcomes()
    made.answered, made.failed = answered, failed
    return made


@pytest.mark.parametrize(
    ("code", "counts"),
    [
        (Code.INTERNAL, (0, 1)),
        (Code.INVALID_ARGUMENT, (0, 1)),
        (Code.DEADLINE_EXCEEDED, (0, 1)),
        (Code.UNAVAILABLE, (0, 0)),
        (Code.CANCELLED, (0, 0)),
        (Code.RESOURCE_EXHAUSTED, (0, 0)),
    ],
)
def test_what_counts_as_a_failure(code: Code, counts: tuple[int, int]) -> None:
    found = Outcomes()
    found.count(ServingError(code, "of the test"))
    assert (found.answered, found.failed) == counts
    found.answered += 1
    assert found.total == sum(counts) + 1


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        ((0, 50), (1000, 0), True),
        ((0, 49), (1000, 0), False),  # too few to judge
        ((40, 10), (1000, 0), True),
        ((49, 1), (1000, 0), False),  # may be chance
        ((48, 2), (1_000_000, 0), False),
        ((960, 40), (1000, 0), True),
        ((900, 100), (900, 100), False),
        ((880, 120), (900, 100), False),
        ((800, 200), (900, 100), True),
        ((1000, 0), (0, 1000), False),
        ((0, 1000), (0, 1000), False),  # all clients send nonsense, to either
        ((100, 900), (100, 900), False),
        ((0, 1000), (500, 500), True),
        ((0, 50), (0, 0), True),  # nothing is known of the old one
        ((30, 20), (0, 0), False),
        ((0, 0), (0, 0), False),
    ],
)
def test_verdicts(new: tuple[int, int], old: tuple[int, int], verdict: bool) -> None:
    assert fails_more(outcomes(*new), outcomes(*old), 50) is verdict


COUNTS = st.integers(0, 10_000)


@given(COUNTS, COUNTS, st.integers(1, 100))
def test_equal_versions_are_equal(answered: int, failed: int, least: int) -> None:
    assert not fails_more(outcomes(answered, failed), outcomes(answered, failed), least)


@given(COUNTS, COUNTS, COUNTS, st.integers(1, 100))
def test_one_more_answer_never_convicts(good: int, bad: int, old_bad: int, least: int) -> None:
    old = outcomes(5000, old_bad)
    if not fails_more(outcomes(good, bad), old, least) and good + bad >= least:
        assert not fails_more(outcomes(good + 1, bad), old, least)


@pytest.mark.parametrize("ratio", [0.001, 0.02, 0.2])
def test_false_alarms_are_rare_though_there_are_many_looks(ratio: float) -> None:
    """Trials of a version that is as good as the old one, looked at after every ten requests."""
    chance = random.Random(1)
    old = outcomes(round(100_000 * (1 - ratio)), round(100_000 * ratio))

    def trial_ends_in_alarm() -> bool:
        new = outcomes(0, 0)
        for _ in range(50):
            failed = sum(chance.random() < ratio for _ in range(10))
            new.answered, new.failed = new.answered + 10 - failed, new.failed + failed
            if fails_more(new, old, 50):
                return True
        return False

    assert sum(trial_ends_in_alarm() for _ in range(60)) <= 1


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_a_bad_version_is_found_out_soon(ratio: float) -> None:
    failed = round(60 * ratio)
    assert fails_more(outcomes(60 - failed, failed), outcomes(99_900, 100), 50)


def test_a_trial_says_why() -> None:
    new, old = (Servable("m", version, FakeModel({}), {}) for version in (2, 1))
    trial = Trial(new, old, ends_at=0.0, min_requests=10)
    assert trial.verdict() == ""
    old.outcomes.answered = 100
    new.outcomes.failed = 10
    assert trial.verdict() == (
        "taken back: 10 of 10 requests failed, against 0 of 100 on version 1"
    )
