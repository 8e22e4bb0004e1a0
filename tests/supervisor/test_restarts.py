"""How often a process is started again."""

from __future__ import annotations

import pytest

from gateway.supervisor.restarts import LONGEST_DELAY_SECONDS, MOST_DEATHS, Restarts


def test_each_delay_is_twice_the_one_before() -> None:
    restarts = Restarts()
    assert [restarts.died(now) for now in (0, 1, 2, 3)] == [0.1, 0.2, 0.4, 0.8]


def test_too_many_deaths_in_a_minute() -> None:
    restarts = Restarts()
    delays = [restarts.died(now) for now in (0, 10, 20, 30, 59)]
    assert (len(delays), delays[-1]) == (MOST_DEATHS, None)


def test_a_process_that_dies_steadily_is_started_ever_later() -> None:
    restarts = Restarts()
    delays = [restarts.died(20.0 * death) for death in range(12)]
    assert None not in delays
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_a_process_that_has_lived_is_started_soon() -> None:
    restarts = Restarts()
    for now in (0, 1, 2, 3):
        restarts.died(now)
    assert restarts.died(100) == 0.1


@pytest.mark.parametrize("times", [[0, 0, 0, 0, 0], [0, 1, 2, 3, 59.9]])
def test_the_fifth_is_the_last(times: list[float]) -> None:
    restarts = Restarts()
    assert [restarts.died(now) is None for now in times] == [False] * 4 + [True]
