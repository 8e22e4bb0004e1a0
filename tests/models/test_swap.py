"""One version gives way to another."""

from __future__ import annotations

import gc
import weakref

import pytest

from gateway.errors import ServingError
from tests.gateway.serving import until
from tests.models.conftest import MakeRig


async def test_a_new_version_takes_over_without_a_gap(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    async with rig.traffic() as seen:
        rig.put("m", 2, 20)
        await rig.becomes(v1="END", v2="AVAILABLE")
    assert not seen.errors
    assert set(seen.answers) == {10, 20}
    assert seen.answers == sorted(seen.answers), "never back to the old version"
    assert rig.backend.open_models == ["m/2"]
    assert rig.backend.open_at_load == [[], ["m/1"]]


async def test_many_swaps_in_a_row(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 1)
    await rig.start()
    async with rig.traffic() as seen:
        for version in range(2, 12):
            rig.put("m", version, version)
            await rig.until_serves(version)
    await until(lambda: rig.backend.open_models == ["m/11"])
    assert not seen.errors
    assert seen.answers == sorted(seen.answers)


async def test_the_old_version_goes_when_its_leases_are_back(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    leases = [rig.registry.acquire("m"), rig.registry.acquire("m", 1)]
    rig.put("m", 2, 20)
    await rig.becomes(v1="UNLOADING", v2="AVAILABLE")
    leases.pop().release()
    await rig.rounds()
    assert rig.states() == {1: "UNLOADING", 2: "AVAILABLE"}
    assert rig.backend.open_models == ["m/1", "m/2"]
    assert await rig.ask() == 20
    leases.pop().release()
    await rig.becomes(v1="END", v2="AVAILABLE")
    await until(lambda: rig.backend.open_models == ["m/2"])


async def test_a_request_that_runs_is_answered_by_its_version(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    running = rig.backend.running["m/1"]
    running.shut()
    async with rig.request() as request:
        await until(lambda: rig.model("m", 1).running == 1)
        rig.put("m", 2, 20)
        await rig.becomes(v1="UNLOADING", v2="AVAILABLE")
        assert not request.done()
        running.open()
        assert await request == 10
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_a_version_that_leaves_is_not_found_any_more(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    lease = rig.registry.acquire("m")
    rig.put("m", 2, 20)
    await rig.becomes(v1="UNLOADING", v2="AVAILABLE")
    with pytest.raises(ServingError, match=r"Specific\(m, 1\)"):
        rig.registry.acquire("m", 1)
    lease.release()


async def test_several_new_versions_at_once(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    rig.backend.loading["m/2"].shut()
    rig.put("m", 2, 20)
    await rig.becomes(v1="AVAILABLE", v2="LOADING")
    rig.put("m", 3, 30)
    await rig.becomes(v1="END", v2="LOADING", v3="AVAILABLE")
    rig.backend.loading["m/2"].open()
    await rig.becomes(v1="END", v2="END", v3="AVAILABLE")
    assert rig.serves(3)


async def test_the_latest_is_deleted(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    rig.put("m", 2, 20)
    await rig.start()
    assert rig.states() == {2: "AVAILABLE"}
    async with rig.traffic() as seen:
        rig.delete("m", 2)
        await rig.becomes(v1="AVAILABLE", v2="END")
    assert not seen.errors
    assert seen.answers[-1] == 10
    assert rig.backend.open_models == ["m/1"]


async def test_a_version_comes_back(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    rig.put("m", 2, 20)
    await rig.start()
    rig.delete("m", 2)
    await rig.becomes(v1="AVAILABLE", v2="END")
    rig.put("m", 2, 21)
    await rig.becomes(v1="END", v2="AVAILABLE")
    assert await rig.ask() == 21


async def test_it_comes_back_while_it_is_still_leaving(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    rig.put("m", 2, 20)
    await rig.start()
    lease = rig.registry.acquire("m")
    rig.delete("m", 2)
    await rig.becomes(v1="AVAILABLE", v2="UNLOADING")
    rig.put("m", 2, 21)
    await rig.rounds()
    assert rig.states() == {1: "AVAILABLE", 2: "UNLOADING"}
    lease.release()
    await rig.becomes(v1="END", v2="AVAILABLE")
    assert await rig.ask() == 21


async def test_an_unloaded_version_leaves_nothing_behind(make_rig: MakeRig) -> None:
    """Not even until the next collection: what was loaded at the start is frozen by then, and a
    cycle in it would stay for ever."""
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    assert await rig.ask() == 10
    model = weakref.ref(rig.backend.models.pop())
    gc.disable()
    try:
        rig.put("m", 2, 20)
        await rig.becomes(v1="END", v2="AVAILABLE")
        await rig.rounds()
        assert model() is None
    finally:
        gc.enable()


async def test_resource_preserving_unloads_first(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {"version_swap": "resource_preserving"}})
    rig.put("m", 1, 10)
    await rig.start()
    rig.put("m", 2, 20)
    await rig.becomes(v1="END", v2="AVAILABLE")
    assert rig.backend.open_at_load == [[], []]
    assert await rig.ask() == 20


async def test_resource_preserving_waits_for_the_requests(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {"version_swap": "resource_preserving"}})
    rig.put("m", 1, 10)
    await rig.start()
    lease = rig.registry.acquire("m")
    rig.put("m", 2, 20)
    await rig.becomes(v1="UNLOADING", v2="START")
    await rig.rounds()
    assert rig.backend.loads == ["m/1"]
    with pytest.raises(ServingError, match="is being loaded"):
        rig.registry.acquire("m")
    lease.release()
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_resource_preserving_spares_what_failed_another_gap(make_rig: MakeRig) -> None:
    table = {"version_swap": "resource_preserving"}
    rig = make_rig({"m": table}, max_num_load_retries=50)
    rig.put("m", 1, 10)
    await rig.start()
    rig.put("m", 2, "its graph is damaged")
    await rig.becomes(v1="AVAILABLE", v2="END")
    async with rig.traffic() as seen:
        await rig.rounds()
        assert rig.backend.loads.count("m/2") == 1
    assert not seen.errors
    rig.put("m", 2, 20)
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_resource_preserving_reloads_in_place(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {"version_swap": "resource_preserving"}})
    rig.put("m", 1, 10)
    await rig.start()
    rig.put("m", 1, 11)
    await until(lambda: rig.backend.loads == ["m/1", "m/1"] and rig.serves(1))
    assert rig.backend.open_at_load == [[], []]
    assert await rig.ask() == 11
