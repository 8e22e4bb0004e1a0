"""Folders that come, go, are replaced or half copied, and base paths that vanish."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ServingError
from tests.gateway.serving import until
from tests.models.conftest import MakeRig


async def test_an_emptied_base_path_goes_on_serving(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    async with rig.traffic() as seen:
        rig.delete("m", 1)
        await until(lambda: rig.entry().error is not None)
        await rig.rounds()
    assert not seen.errors
    assert rig.states() == {1: "AVAILABLE"}
    rig.put("m", 2, 20)
    await rig.becomes(v1="END", v2="AVAILABLE")
    assert rig.entry().error is None


async def test_an_emptied_base_path_unloads_if_that_is_asked_for(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {"servable_versions_always_present": False}})
    rig.put("m", 1, 10)
    await rig.start()
    rig.delete("m", 1)
    await rig.becomes(v1="END")
    await until(lambda: not rig.backend.open_models)
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
        rig.registry.acquire("m")
    rig.put("m", 1, 11)
    await rig.becomes(v1="AVAILABLE")


@pytest.mark.parametrize("always", [True, False])
async def test_a_vanished_base_path_goes_on_serving(make_rig: MakeRig, always: bool) -> None:
    """It says nothing of versions: a mount that is away, a renamed parent."""
    rig = make_rig({"m": {"servable_versions_always_present": always}})
    rig.put("m", 1, 10)
    await rig.start()
    async with rig.traffic() as seen:
        rig.delete("m")
        await until(lambda: rig.entry().error is not None)
        await rig.rounds()
        assert rig.states() == {1: "AVAILABLE"}
        rig.put("m", 2, 20)
        await rig.becomes(v1="END", v2="AVAILABLE")
    assert not seen.errors
    assert rig.entry().error is None


async def test_a_missing_base_path_stops_nobody_else(make_rig: MakeRig) -> None:
    rig = make_rig({"missing": {}, "m": {}})
    rig.put("m", 1, 10)
    await rig.start()
    assert await rig.ask("m") == 10
    assert rig.entry("missing").problem() is not None
    assert not rig.registry.ready
    rig.put("m", 2, 20)
    await rig.becomes("m", v1="END", v2="AVAILABLE")
    rig.put("missing", 1, 30)
    await until(lambda: rig.registry.ready)
    assert await rig.ask("missing") == 30


async def test_a_replaced_folder_is_loaded_again(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    lease = rig.registry.acquire("m")
    async with rig.traffic() as seen:
        rig.put("m", 1, 11)
        await until(lambda: seen.answers[-1] == 11)
        assert rig.states() == {1: "AVAILABLE"}
    assert not seen.errors
    assert set(seen.answers) == {10, 11}
    assert seen.answers == sorted(seen.answers)
    assert rig.backend.open_models == ["m/1", "m/1"], "a request still has the old content"
    lease.release()
    await until(lambda: rig.backend.open_models == ["m/1"])
    await rig.rounds()
    assert len(rig.backend.loads) == 2


async def test_a_folder_replaced_again_and_again_ends_with_the_last_content(
    make_rig: MakeRig,
) -> None:
    rig = make_rig()
    rig.put("m", 1, 1)
    await rig.start()
    async with rig.traffic() as seen:
        for factor in range(2, 8):
            rig.put("m", 1, factor)
            await rig.rounds(1)
        await until(lambda: seen.answers[-1] == 7)
    assert not seen.errors
    assert seen.answers == sorted(seen.answers)
    await until(lambda: rig.backend.open_models == ["m/1"])


async def test_a_folder_replaced_during_its_load(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    rig.backend.loading["m/1"].shut()
    rig.manager.watch()
    await rig.becomes(v1="LOADING")
    rig.put("m", 1, 11)
    await rig.rounds()
    rig.backend.loading["m/1"].open()
    await until(lambda: len(rig.backend.loads) == 2)
    await rig.answers(11)
    await until(lambda: rig.backend.open_models == ["m/1"])


def _grow(folder: Path) -> None:
    with (folder / "variables").open("a") as file:
        file.write("more")


@pytest.mark.parametrize("serving", [True, False])
async def test_a_folder_that_is_being_copied_is_not_loaded(
    make_rig: MakeRig, serving: bool
) -> None:
    rig = make_rig()
    if serving:
        rig.put("m", 1, 10)
        await rig.start()
    folder = rig.put("m", 2, 20)
    _grow(folder)
    rig.before_look = lambda name: _grow(folder)
    if not serving:
        await rig.start()
    await rig.rounds(5)
    assert rig.states()[2] == "START"
    assert "m/2" not in rig.backend.loads
    assert rig.manager.on_its_way
    if not serving:
        with pytest.raises(ServingError, match="is being loaded"):
            rig.registry.acquire("m")
    rig.before_look = lambda name: None
    await rig.until_serves(2)
    assert rig.backend.loads.count("m/2") == 1


async def test_below_a_folder_that_is_being_copied_another_stands_in(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    folder = rig.put("m", 2, 20)
    rig.before_look = lambda name: _grow(folder)
    await rig.start()
    assert rig.states() == {1: "AVAILABLE", 2: "START"}
    rig.before_look = lambda name: None
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_a_copy_that_is_given_up_leaves_no_trace(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    folder = rig.put("m", 2, 20)
    rig.before_look = lambda name: _grow(folder) if folder.exists() else None
    await rig.becomes(v1="AVAILABLE", v2="START")
    rig.delete("m", 2)
    await rig.becomes(v1="AVAILABLE")


async def test_a_copy_that_is_overtaken_leaves_no_trace(make_rig: MakeRig) -> None:
    """Else its status says START for ever, and its requests are told to wait."""
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    folder = rig.put("m", 2, 20)
    rig.before_look = lambda name: _grow(folder)
    await rig.becomes(v1="AVAILABLE", v2="START")
    rig.put("m", 3, 30)
    await rig.becomes(v1="END", v3="AVAILABLE")
    assert not rig.manager.on_its_way


async def test_a_folder_that_changes_while_it_serves_is_loaded_once_it_is_quiet(
    make_rig: MakeRig,
) -> None:
    rig = make_rig()
    folder = rig.put("m", 1, 10)
    await rig.start()
    rig.before_look = lambda name: _grow(folder)
    (folder / "factor").write_text("11")
    await rig.rounds(5)
    assert await rig.ask() == 10
    rig.before_look = lambda name: None
    await rig.answers(11)
    await until(lambda: rig.backend.open_models == ["m/1"])
    assert len(rig.backend.loads) == 2


async def test_a_link_that_moves_from_build_to_build(make_rig: MakeRig) -> None:
    rig = make_rig()
    for build in (1, 2):
        rig.put("builds", f"build{build}", build)
    (rig.root / "m").mkdir()
    (rig.root / "m" / "1").symlink_to(rig.root / "builds" / "build1")
    await rig.start()
    async with rig.traffic() as seen:
        (rig.root / "m" / "next").symlink_to(rig.root / "builds" / "build2")
        (rig.root / "m" / "next").rename(rig.root / "m" / "1")
        await until(lambda: seen.answers[-1] == 2)
    assert not seen.errors


async def test_what_is_no_version_is_passed_over(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    for name in ("tmp", ".5", "5.partial", "-6"):
        rig.put("m", name, 99)
    (rig.root / "m" / "7").write_text("")
    await rig.start()
    await rig.rounds()
    assert rig.backend.loads == ["m/1"]


async def test_without_polling_a_copy_is_still_waited_for(make_rig: MakeRig) -> None:
    """``--file_system_poll_wait_seconds=0`` looks once, at least once it is complete."""
    rig = make_rig(file_system_poll_wait_seconds=0.0)
    rig.put("m", 1, 10)
    await rig.start()
    assert rig.states() == {1: "AVAILABLE"}
    looks = rig.looks["m"]
    rig.put("m", 2, 20)
    async with rig.traffic() as seen:
        await until(lambda: len(seen.answers) > 100)
    assert rig.looks["m"] - looks <= 1
    assert set(seen.answers) == {10}
