"""When a folder is complete, and when one that failed is tried again."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.models.backoff import RetryPolicy
from gateway.models.planner import Phase
from gateway.models.repository import Listing
from gateway.models.settling import Settling
from gateway.models.work import Content, VersionWork

OLD, NEW = 0.0, 1_000_000.0
"""Last changes of a folder, by a wall clock that stands at NEW."""


def listing(fingerprint: int, changed_at: float = NEW) -> Listing:
    return Listing(Path("1"), fingerprint, changed_at)


def looks(settling: Settling, *seen: tuple[float, int]) -> list[bool]:
    """What the looks at ``(now, fingerprint)`` say of version 1, the file system saying nothing."""
    return [settling.is_settled(1, listing(found), now, NEW) for now, found in seen]


def test_two_equal_looks_apart_settle_a_folder() -> None:
    assert looks(Settling(1.0), (10.0, 7), (10.5, 7), (11.0, 7)) == [False, False, True]


def test_a_change_starts_anew() -> None:
    seen = looks(Settling(1.0), (10.0, 7), (10.9, 8), (11.5, 8), (11.9, 8), (12.0, 9))
    assert seen == [False, False, False, True, False]


def test_content_that_comes_back_starts_anew() -> None:
    assert looks(Settling(1.0), (0.0, 7), (0.5, 8), (1.0, 7), (1.9, 7)) == [False] * 4


def test_an_old_folder_is_settled_at_once() -> None:
    settling = Settling(1.0)
    assert settling.is_settled(1, listing(7, OLD), 0.0, NEW)
    assert not settling.is_settled(2, listing(7, NEW - 0.9), 0.0, NEW)
    assert not settling.is_settled(3, listing(7, NEW + 3600), 0.0, NEW)


def test_versions_settle_independently() -> None:
    settling = Settling(1.0)
    settling.is_settled(1, listing(7), 0.0, NEW)
    assert not settling.is_settled(2, listing(7), 1.0, NEW)
    assert settling.is_settled(1, listing(7), 1.0, NEW)


def test_a_folder_that_was_gone_starts_anew() -> None:
    settling = Settling(1.0)
    looks(settling, (0.0, 7))
    settling.forget_all_but([2])
    assert looks(settling, (5.0, 7), (6.0, 7)) == [False, True]


@given(st.lists(st.tuples(st.floats(0.01, 2.0), st.integers(0, 1)), max_size=30))
def test_settled_means_unchanged_for_the_settling_time(steps: list[tuple[float, int]]) -> None:
    settling, now, unchanged_since = Settling(1.0), 0.0, math.inf
    last = None
    for wait, found in steps:
        now += wait
        unchanged_since = unchanged_since if found == last else now
        last = found
        assert looks(settling, (now, found)) == [now - unchanged_since >= 1.0]


def test_the_delay_grows_up_to_the_longest() -> None:
    policy = RetryPolicy(max_retries=8, longest_delay=60)
    assert [policy.delay(n) for n in range(1, 10)] == [1, 4, 16, 60, 60, 60, 60, 60, math.inf]


@pytest.mark.parametrize(("retries", "delays"), [(0, [math.inf]), (1, [0.25, math.inf])])
def test_few_retries_and_short_delays(retries: int, delays: list[float]) -> None:
    policy = RetryPolicy(max_retries=retries, longest_delay=0.25)
    assert [policy.delay(n + 1) for n in range(len(delays))] == delays


def test_many_failures_do_not_overflow() -> None:
    assert RetryPolicy(max_retries=10**6, longest_delay=60).delay(10**6) == 60


BROKEN, REPAIRED, NEW_SETTINGS = (7, 0), (8, 0), (7, 1)


def test_failures_in_a_row_wait_longer_and_longer() -> None:
    work, policy = VersionWork(), RetryPolicy(max_retries=2)
    assert work.may_try(BROKEN, 0.0)
    assert work.load_failed(BROKEN, policy, 100.0) == 1
    assert not work.may_try(BROKEN, 100.9)
    assert work.may_try(BROKEN, 101.0)
    assert work.load_failed(BROKEN, policy, 101.0) == 4
    assert work.load_failed(BROKEN, policy, 103.0) == math.inf
    assert not work.may_try(BROKEN, 1e12)


@pytest.mark.parametrize("changed", [REPAIRED, NEW_SETTINGS])
def test_what_has_changed_is_tried_at_once_and_counts_anew(changed: Content) -> None:
    work, policy = VersionWork(), RetryPolicy(max_retries=0)
    work.load_failed(BROKEN, policy, 0.0)
    assert work.may_try(changed, 0.0)
    assert not work.may_try(BROKEN, 1e12)
    assert work.load_failed(changed, RetryPolicy(), 0.0) == 1


def test_a_load_ends_the_row_of_failures() -> None:
    work = VersionWork()
    work.load_failed(BROKEN, RetryPolicy(), 0.0)
    work.loaded_content(BROKEN)
    assert (work.phase, work.loaded, work.failed) == (Phase.AVAILABLE, BROKEN, None)
    assert work.load_failed(BROKEN, RetryPolicy(), 0.0) == 1
