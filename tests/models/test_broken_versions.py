"""Versions that do not load, and loads that hang."""

from __future__ import annotations

import pytest

from gateway.errors import ServingError
from gateway.models.registry import MAX_ENDED
from tests.gateway.serving import until
from tests.models.conftest import MakeRig

DAMAGED = "its graph is damaged"


async def test_the_old_version_goes_on(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    async with rig.traffic() as seen:
        rig.put("m", 2, DAMAGED)
        await rig.becomes(v1="AVAILABLE", v2="END")
        await rig.rounds()
    assert not seen.errors
    assert rig.reason(2) == DAMAGED
    assert rig.entry().ready
    with pytest.raises(ServingError, match=r"Specific\(m, 2\)"):
        rig.registry.acquire("m", 2)


async def test_so_many_retries_and_no_more(make_rig: MakeRig) -> None:
    rig = make_rig(max_num_load_retries=3)
    rig.put("m", 1, DAMAGED)
    await rig.start()
    await until(lambda: len(rig.backend.loads) == 4)
    await rig.rounds(5)
    assert len(rig.backend.loads) == 4
    assert rig.states() == {1: "END"}


async def test_a_retry_succeeds(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.backend.crashes["m/1"] = 2
    rig.put("m", 1, 10)
    await rig.start()
    assert rig.reason(1) == "the version could not be loaded"
    await rig.becomes(v1="AVAILABLE")
    assert rig.reason(1) == ""
    assert await rig.ask() == 10


@pytest.mark.parametrize("micros", [0, 10, 10_000])
async def test_retries_do_not_need_polling(make_rig: MakeRig, micros: int) -> None:
    rig = make_rig(file_system_poll_wait_seconds=0.0, load_retry_interval_micros=micros)
    rig.backend.crashes["m/1"] = 4
    rig.put("m", 1, 10)
    await rig.start()
    await rig.becomes(v1="AVAILABLE")
    assert len(rig.backend.loads) == 5


async def test_a_change_of_the_folder_is_tried_at_once(make_rig: MakeRig) -> None:
    rig = make_rig(max_num_load_retries=0)
    rig.put("m", 1, 10)
    await rig.start()
    rig.put("m", 2, DAMAGED)
    await rig.becomes(v1="AVAILABLE", v2="END")
    rig.put("m", 2, "still damaged")
    await until(lambda: rig.reason(2) == "still damaged")
    rig.put("m", 2, 20)
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_new_settings_are_tried_at_once(make_rig: MakeRig) -> None:
    rig = make_rig(max_num_load_retries=0)
    rig.put("m", 1, 10)
    rig.backend.crashes["m/1"] = 1
    await rig.start()
    assert rig.states() == {1: "END"}
    await rig.configure({"m": {"max_batch_size": 7}})
    await rig.becomes(v1="AVAILABLE")


async def test_a_folder_that_comes_back_is_tried_again(make_rig: MakeRig) -> None:
    rig = make_rig(max_num_load_retries=0)
    rig.put("m", 1, 10)
    await rig.start()
    rig.backend.crashes["m/2"] = 1
    folder = rig.put("m", 2, 20)
    await rig.becomes(v1="AVAILABLE", v2="END")
    away = folder.rename(rig.root / "away")
    await rig.rounds()
    away.rename(folder)
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_at_the_start_a_lower_version_stands_in(make_rig: MakeRig) -> None:
    rig = make_rig(max_num_load_retries=0)
    for version, factor in {1: 10, 2: 20, 3: DAMAGED, 4: DAMAGED}.items():
        rig.put("m", version, factor)
    await rig.start()
    # Two are tried below the wanted one, not more.
    assert rig.states() == {2: "AVAILABLE", 3: "END", 4: "END"}
    assert rig.backend.loads == ["m/4", "m/3", "m/2"]
    rig.put("m", 4, 40)
    await rig.becomes(v2="END", v3="END", v4="AVAILABLE")


async def test_a_replacement_that_is_broken_leaves_the_old_content(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    async with rig.traffic() as seen:
        rig.put("m", 1, DAMAGED)
        await until(lambda: rig.reason(1) == DAMAGED)
        assert rig.states() == {1: "AVAILABLE"}
        rig.put("m", 1, 11)
        await until(lambda: seen.answers[-1] == 11)
    assert not seen.errors
    assert rig.reason(1) == ""


async def test_a_replacement_that_is_taken_back_is_forgotten(make_rig: MakeRig) -> None:
    """The folder holds what is served again: nothing is wrong any more."""
    rig = make_rig(max_num_load_retries=0)
    folder = rig.put("m", 1, 10)
    await rig.start()
    kept = folder.rename(rig.root / "kept")
    rig.put("m", 1, DAMAGED)
    await until(lambda: rig.reason(1) == DAMAGED)
    rig.delete("m", 1)
    kept.rename(folder)
    await until(lambda: rig.reason(1) == "")
    assert await rig.ask() == 10


async def test_a_load_that_hangs_delays_no_other_model(make_rig: MakeRig) -> None:
    rig = make_rig({"hangs": {}, "m": {}})
    rig.put("hangs", 1, 1)
    rig.put("m", 1, 10)
    await rig.start()
    rig.backend.loading["hangs/2"].shut()
    rig.put("hangs", 2, 2)
    await rig.becomes("hangs", v1="AVAILABLE", v2="LOADING")
    async with rig.traffic("hangs") as seen:
        for version in (2, 3):
            rig.put("m", version, version)
            await rig.until_serves(version, "m")
    assert set(seen.answers) == {1}
    assert not seen.errors
    assert rig.states("hangs") == {1: "AVAILABLE", 2: "LOADING"}


async def test_a_load_that_hangs_at_the_start_delays_no_other_model(make_rig: MakeRig) -> None:
    rig = make_rig({"hangs": {}, "m": {}})
    rig.put("hangs", 1, 1)
    rig.put("m", 1, 10)
    rig.backend.loading["hangs/1"].shut()
    async with rig.starting():
        await until(lambda: rig.entry("m").ready)
        assert await rig.ask("m") == 10
        assert not rig.entry("hangs").ready
        rig.backend.loading["hangs/1"].open()


async def test_a_broken_model_delays_no_other(make_rig: MakeRig) -> None:
    rig = make_rig({"broken": {}, "m": {}}, load_retry_interval_micros=0)
    rig.put("broken", 1, DAMAGED)
    rig.put("m", 1, 10)
    await rig.start()
    assert rig.states("m") == {1: "AVAILABLE"}
    rig.put("m", 2, 20)
    await rig.becomes("m", v1="END", v2="AVAILABLE")


async def test_the_status_stays_short(make_rig: MakeRig) -> None:
    """A trainer that writes a broken version every hour does not fill the memory."""
    rig = make_rig(max_num_load_retries=0)
    rig.put("m", 1, 10)
    await rig.start()
    for version in range(2, MAX_ENDED + 12):
        rig.put("m", version, DAMAGED)
        await rig.until_state(version, "END")
    await rig.rounds()
    states = rig.states()
    assert states.pop(1) == "AVAILABLE"
    assert set(states.values()) == {"END"}
    assert len(states) <= MAX_ENDED + 1
    assert max(states) == MAX_ENDED + 11


async def test_what_is_asked_for_stays_in_the_status(make_rig: MakeRig) -> None:
    count = MAX_ENDED + 5
    rig = make_rig({"m": {"model_version_policy": "all"}}, max_num_load_retries=0)
    for version in range(1, count + 1):
        rig.put("m", version, DAMAGED)
    await rig.start()
    await rig.rounds()
    assert rig.states() == dict.fromkeys(range(1, count + 1), "END")
    assert len(rig.backend.loads) == count


async def test_swapped_out_versions_are_forgotten_in_time(make_rig: MakeRig) -> None:
    rig = make_rig()
    for version in range(1, MAX_ENDED + 6):
        rig.put("m", version, version)
        if version == 1:
            await rig.start()
        await rig.until_serves(version)
    await until(lambda: rig.states().get(MAX_ENDED + 4) == "END")
    await rig.rounds()
    assert len(rig.states()) == MAX_ENDED + 1
