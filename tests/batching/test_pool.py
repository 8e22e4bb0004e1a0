"""Who gets a free executor."""

from __future__ import annotations

from collections import Counter

import pytest

from batching import DevicePool
from batching.testing import ScriptedExecutor, settle
from tests.batching.tenants import ENDLESS, House, Tenant


@pytest.mark.parametrize("seconds", [(1.0, 1.0), (3.0, 1.0), (0.1, 0.7), (5.0, 0.05)])
async def test_device_time_is_shared_evenly(seconds: tuple[float, float]) -> None:
    house = House()
    tenants = [Tenant(house, name, cost) for name, cost in zip("ab", seconds, strict=True)]
    for tenant in tenants:
        await tenant.wants(ENDLESS)
    for _ in range(200):
        await house.turns(1)
        difference = abs(tenants[0].used - tenants[1].used)
        assert difference <= max(seconds) + 1e-6


async def test_three_tenants_of_equal_cost_take_turns() -> None:
    house = House()
    for name in "abc":
        await Tenant(house, name, 1.0).wants(ENDLESS)
    assert Counter(await house.turns(9)) == {"a": 3, "b": 3, "c": 3}


async def test_tenants_that_arrive_together_get_an_executor_each() -> None:
    house = House("e0", "e1")
    for name in "ab":
        tenant = Tenant(house, name, 0.001)
        tenant.jobs = ENDLESS
        house.pool.wake(tenant.seat, house.clock.now())
    await settle()
    assert house.holders() == {"a": 1, "b": 1}


async def test_a_newcomer_starts_level_with_those_in_use() -> None:
    house = House()
    old, new = Tenant(house, "a", 1.0), Tenant(house, "b", 1.0)
    await old.wants(ENDLESS)
    await house.turns(50)
    await new.wants(ENDLESS)
    assert Counter(await house.turns(10)) == {"a": 5, "b": 5}


async def test_idleness_earns_no_credit() -> None:
    house = House()
    steady, bursty = Tenant(house, "a", 1.0), Tenant(house, "b", 1.0)
    await steady.wants(ENDLESS)
    for _ in range(3):
        await bursty.wants(5)
        served = await house.turns(10)
        assert Counter(served) == {"a": 5, "b": 5}
        assert "bb" not in served
        assert await house.turns(20) == "a" * 20


async def test_a_newcomer_in_a_quiet_moment_does_not_starve_the_others() -> None:
    house = House()
    old, new = Tenant(house, "a", 1.0), Tenant(house, "b", 1.0)
    await old.wants(50)
    await house.turns(50)
    await new.wants(ENDLESS)
    await old.wants(ENDLESS)
    served = Counter(await house.turns(10))
    assert abs(served["a"] - served["b"]) <= 2


async def test_executors_that_are_not_shared_do_not_set_the_level() -> None:
    house = House("e0", "e1")
    alone = Tenant(house, "a", 1.0, "e0")
    tenants = [Tenant(house, name, 1.0, "e1") for name in "bcd"]
    for tenant in (alone, *tenants[:2]):
        await tenant.wants(ENDLESS)
    # Meanwhile the only one on e0 has used twice as much as each of those on e1.
    for _ in range(50):
        await house.turns(1, "e0")
        await house.turns(1, "e1")
    await tenants[2].wants(ENDLESS)
    served = Counter(await house.turns(12, "e1"))
    assert all(3 <= served[name] <= 5 for name in "bcd"), served


async def test_tenants_keep_to_their_executors() -> None:
    house = House("e0", "e1", "e2")
    first, second = Tenant(house, "a", 0.001, "e1"), Tenant(house, "b", 0.001, "e0", "e2")
    await first.wants(ENDLESS)
    await second.wants(ENDLESS)
    for name in ["e0", "e1", "e2"] * 3:
        await house.turns(1, name)
    assert {executor for name, executor in house.started if name == "a"} == {"e1"}
    assert {executor for name, executor in house.started if name == "b"} == {"e0", "e2"}


async def test_one_that_cannot_use_what_is_free_does_not_hold_the_others_up() -> None:
    house = House("e0", "e1")
    bound, other = Tenant(house, "a", 0.001, "e0"), Tenant(house, "b", 0.001)
    await bound.wants(2)
    await other.wants(2)
    assert house.holders() == {"a": 1, "b": 1}
    await house.turns(1, "e1")
    assert house.holders() == {"a": 1, "b": 1}


async def test_who_left_is_asked_no_more_but_hears_of_its_running_job() -> None:
    house = House()
    gone, other = Tenant(house, "a", 1.0), Tenant(house, "b", 1.0)
    await gone.wants(ENDLESS)
    await other.wants(1)
    house.pool.leave(gone.seat)
    assert await house.turns(2) == "b"
    assert gone.reported == ["a"]
    assert other.reported == ["b"]


async def test_a_device_failure_is_reported_and_frees_the_executor() -> None:
    house = House()
    tenant = Tenant(house, "a", 1.0)
    await tenant.wants(2)
    failure = RuntimeError("device lost")
    house.executors["e0"].fail(failure)
    await settle()
    assert tenant.reported == [failure]
    assert house.holders() == {"a": 1}


async def test_busy_seconds_and_close() -> None:
    house = House("e0", "e1")
    tenant = Tenant(house, "a", 0.01)
    await tenant.wants(3)
    await house.turns(2)
    assert house.pool.busy_seconds == {"e0": pytest.approx(0.02), "e1": 0.0}
    house.pool.close()
    assert all(executor.closed for executor in house.executors.values())


async def test_refused_pools() -> None:
    with pytest.raises(ValueError, match="at least one executor"):
        DevicePool([])
    with pytest.raises(ValueError, match=r"not distinct: \['a', 'a'\]"):
        DevicePool([ScriptedExecutor("a"), ScriptedExecutor("a")])
    house = House("e0", "e1")
    with pytest.raises(ValueError, match=r"unknown executors \['x'\]; there are \['e0', 'e1'\]"):
        Tenant(house, "a", 1.0, "e0", "x")
