"""A new version that fails more than the old one is taken back."""

from __future__ import annotations

import math

import pytest

from gateway.errors import ServingError
from gateway.models import controller
from tests.gateway.serving import until
from tests.models.conftest import MakeRig
from tests.models.rig import Rig

TABLE = {"step_back": True, "step_back_min_requests": 10, "step_back_window_s": 60.0}
BAD = math.nan


@pytest.fixture(autouse=True)
def _judged_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "TRIAL_TICK_SECONDS", 0.005)


async def served(make_rig: MakeRig, **table: object) -> Rig:
    """Version 1 serves, and has answered some requests."""
    rig = make_rig({"m": {**TABLE, **table}})
    rig.put("m", 1, 10)
    await rig.start()
    for _ in range(30):
        await rig.ask()
    return rig


async def fail(rig: Rig, requests: int = 10, version: int | None = None) -> None:
    for _ in range(requests):
        with pytest.raises(ServingError, match="the model fails"):
            await rig.ask(version=version)


async def test_the_old_version_is_kept_and_comes_back(make_rig: MakeRig) -> None:
    rig = await served(make_rig)
    rig.put("m", 2, BAD)
    await rig.until_serves(2)
    await rig.rounds()
    assert rig.states() == {1: "AVAILABLE", 2: "AVAILABLE"}, "on trial"
    async with rig.traffic() as seen:
        await rig.becomes(v1="AVAILABLE", v2="END")
    # A few are on their way until the next look at the counts.
    assert seen.answers[-1] == 10
    assert rig.reason(2).startswith("taken back: ")
    assert rig.backend.loads == ["m/1", "m/2"], "nothing had to be loaded for it"
    await until(lambda: rig.backend.open_models == ["m/1"])


async def test_it_stays_away_until_its_folder_changes(make_rig: MakeRig) -> None:
    rig = await served(make_rig)
    rig.put("m", 2, BAD)
    await rig.until_serves(2)
    await fail(rig)
    await rig.becomes(v1="AVAILABLE", v2="END")
    await rig.rounds(5)
    assert rig.backend.loads == ["m/1", "m/2"]
    rig.put("m", 2, 20)
    await rig.until_serves(2)
    assert rig.reason(2) == ""
    assert await rig.ask() == 20


async def test_a_look_that_fails_does_not_bring_it_back(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await served(make_rig)
    folder = rig.put("m", 2, BAD)
    await rig.until_serves(2)
    await fail(rig)
    await rig.becomes(v1="AVAILABLE", v2="END")
    away = {True: rig.root / "away", False: rig.root / "m"}
    for gone in (True, False):
        (away[not gone]).rename(away[gone])
        await rig.rounds()
    assert folder.exists()
    assert rig.backend.loads == ["m/1", "m/2"]
    assert rig.serves(1)


async def test_a_newer_version_is_not_affected(make_rig: MakeRig) -> None:
    rig = await served(make_rig)
    rig.put("m", 2, BAD)
    await rig.until_serves(2)
    await fail(rig)
    await rig.becomes(v1="AVAILABLE", v2="END")
    rig.put("m", 3, 30)
    await rig.until_serves(3)
    assert await rig.ask() == 30


async def test_a_good_version_stays_and_the_old_one_goes(make_rig: MakeRig) -> None:
    rig = await served(make_rig, step_back_window_s=0.05)
    rig.put("m", 2, 20)
    async with rig.traffic() as seen:
        await rig.becomes(v1="END", v2="AVAILABLE")
    assert not seen.errors


async def test_too_few_requests_are_no_proof(make_rig: MakeRig) -> None:
    rig = await served(make_rig, step_back_window_s=0.05)
    rig.put("m", 2, BAD)
    await rig.until_serves(2)
    await fail(rig, 9)
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_it_is_off_unless_it_is_asked_for(make_rig: MakeRig) -> None:
    rig = await served(make_rig, step_back=False)
    rig.put("m", 2, BAD)
    await rig.becomes(v1="END", v2="AVAILABLE")
    await fail(rig, 50)
    await rig.rounds()
    assert rig.serves(2)


async def test_going_back_to_an_older_version_is_no_trial(make_rig: MakeRig) -> None:
    rig = await served(make_rig)
    rig.put("m", 2, 20)
    await rig.until_serves(2)
    for _ in range(30):
        await rig.ask()
    await rig.configure({"m": {**TABLE, "model_version_policy": "specific:1"}})
    await rig.becomes(v1="AVAILABLE", v2="END")


@pytest.mark.parametrize("always", [True, False])
async def test_the_old_folder_may_be_gone(make_rig: MakeRig, always: bool) -> None:
    rig = await served(make_rig, servable_versions_always_present=always)
    rig.put("m", 2, BAD)
    rig.delete("m", 1)
    await rig.until_serves(2)
    await fail(rig)
    await rig.becomes(v1="AVAILABLE", v2="END")
    await rig.rounds()
    assert await rig.ask() == 10


async def test_a_repaired_folder_is_not_taken_for_the_bad_one(make_rig: MakeRig) -> None:
    """The verdict is on what was served, not on what is on disk by now."""
    rig = await served(make_rig)
    rig.put("m", 2, BAD)
    await rig.until_serves(2)
    rig.backend.loading["m/2"].shut()
    rig.put("m", 2, 20)
    await until(lambda: rig.backend.loads.count("m/2") == 2)
    await fail(rig)
    await rig.until_serves(1)
    rig.backend.loading["m/2"].open()
    await rig.until_serves(2)
    assert await rig.ask() == 20


async def test_the_last_good_one_is_kept_through_several_bad_ones(make_rig: MakeRig) -> None:
    rig = await served(make_rig)
    for version in (2, 3):
        rig.put("m", version, BAD)
        await rig.until_serves(version)
        await rig.rounds()
    assert rig.states()[1] == "AVAILABLE"
    await fail(rig)
    await until(lambda: not rig.serves(3))
    assert rig.reason(3).endswith("on version 1")


async def test_a_shadow_that_is_promoted_is_on_trial_too(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {**TABLE, "shadow": {"version": 2}}})
    rig.put("m", 1, 10)
    rig.put("m", 2, BAD)
    await rig.start()
    await rig.becomes(v1="AVAILABLE", v2="AVAILABLE")
    for _ in range(30):
        assert await rig.ask() == 10
    await rig.configure({"m": TABLE})
    await fail(rig)
    await rig.becomes(v1="AVAILABLE", v2="END")
    assert await rig.ask() == 10


async def test_a_label_still_finds_the_version_that_was_taken_back(make_rig: MakeRig) -> None:
    rig = await served(make_rig, version_labels={"canary": {1: 0.5, 2: 0.5}})
    rig.put("m", 2, BAD)
    await rig.until_serves(2)
    await fail(rig)
    await rig.until_serves(1)
    await rig.rounds()
    assert rig.states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert rig.reason(2).startswith("taken back")
    await fail(rig, 1, version=2)
    assert await rig.ask() == 10
