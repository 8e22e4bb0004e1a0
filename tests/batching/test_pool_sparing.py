"""The last free executor is kept from slow tenants while others are in use."""

from __future__ import annotations

import math

import pytest

from batching.pool import IN_USE_SECONDS
from tests.batching.tenants import ENDLESS, House, Tenant


@pytest.mark.parametrize("predicted", [0.011, 5.0, math.inf])
async def test_the_last_free_executor_is_kept_from_a_slow_tenant(predicted: float) -> None:
    house = House("e0", "e1", "e2")
    slow, other = Tenant(house, "s", 5.0), Tenant(house, "o", 0.001)
    slow.predicted = predicted
    await other.wants(1)
    await house.turns(1)
    await slow.wants(ENDLESS)
    assert house.holders() == {"s": 2}
    await other.wants(1)
    assert house.holders() == {"s": 2, "o": 1}


@pytest.mark.parametrize("jobs", [0, 1, 2])
async def test_in_use_are_those_who_asked_or_ran_lately(jobs: int) -> None:
    house = House("e0", "e1")
    slow, other = Tenant(house, "s", 5.0), Tenant(house, "o", 0.001, "e0")
    await other.wants(jobs)
    for _ in range(jobs):
        house.clock.advance(IN_USE_SECONDS - 1)
        await house.turns(1)
    # With two jobs its last request is long ago, but not the start of the second one.
    house.clock.advance({0: IN_USE_SECONDS - 1, 1: 0.5, 2: 0.5}[jobs])
    await slow.wants(ENDLESS)
    assert house.holders() == {"s": 1}


async def test_a_short_tenant_may_have_all() -> None:
    house = House("e0", "e1")
    short, other = Tenant(house, "s", 0.01), Tenant(house, "o", 0.001)
    await other.wants(1)
    await house.turns(1)
    await short.wants(ENDLESS)
    assert house.holders() == {"s": 2}


async def test_a_slow_tenant_may_have_all_while_nobody_else_is_in_use() -> None:
    house = House("e0", "e1")
    slow, other = Tenant(house, "s", 5.0), Tenant(house, "o", 0.001)
    await slow.wants(ENDLESS)
    assert house.holders() == {"s": 2}
    await other.wants(1)
    assert house.holders() == {"s": 2}
    await house.turns(1)
    assert house.holders() == {"s": 1, "o": 1}
    await house.turns(1)
    assert house.holders() == {"s": 1}, "the other is still in use"
    house.clock.advance(IN_USE_SECONDS)
    await house.turns(1, "e1")
    assert house.holders() == {"s": 2}


async def test_the_only_executor_is_not_kept_from_anyone() -> None:
    house = House("e0")
    slow, other = Tenant(house, "s", 5.0), Tenant(house, "o", 0.001)
    await other.wants(1)
    await house.turns(1)
    await slow.wants(2)
    assert await house.turns(1) == "s"
