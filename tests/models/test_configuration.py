"""A configuration that changes while requests come in."""

from __future__ import annotations

import pytest

from gateway.errors import Code, ServingError
from tests.gateway.serving import until
from tests.models.conftest import MakeRig
from tests.models.rig import Rig


async def two_versions(make_rig: MakeRig, **table: object) -> Rig:
    rig = make_rig({"m": table})
    rig.put("m", 1, 10)
    rig.put("m", 2, 20)
    return await rig.start()


async def test_a_model_is_added(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig)
    rig.put("new", 1, 30)
    async with rig.traffic("m") as seen:
        await rig.configure({"m": {}, "new": {}})
        with pytest.raises(ServingError) as caught:
            rig.registry.acquire("new")
        assert caught.value.code is Code.UNAVAILABLE
        await until(lambda: rig.entry("new").ready)
    assert not seen.errors
    assert await rig.ask("new") == 30
    assert rig.backend.loads.count("m/2") == 1, "the others are left alone"


async def test_a_model_is_removed_when_its_requests_are_answered(make_rig: MakeRig) -> None:
    rig = make_rig({"m": {}, "other": {}})
    rig.put("m", 1, 10)
    rig.put("other", 1, 30)
    await rig.start()
    running = rig.backend.running["m/1"]
    running.shut()
    async with rig.request("m") as request:
        await until(lambda: rig.model("m", 1).running == 1)
        await rig.configure({"other": {}})
        with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(m\)"):
            rig.registry.acquire("m")
        assert await rig.ask("other") == 30
        assert rig.backend.open_models == ["m/1", "other/1"]
        running.open()
        assert await request == 10
    await until(lambda: rig.backend.open_models == ["other/1"])
    rig.put("m", 2, 20)
    await rig.rounds(name="other")
    assert "m/2" not in rig.backend.loads


async def test_a_model_is_removed_while_it_is_being_loaded(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig)
    rig.backend.loading["m/3"].shut()
    rig.put("m", 3, 30)
    await until(lambda: rig.states().get(3) == "LOADING")
    await rig.configure({})
    rig.backend.loading["m/3"].open()
    await until(lambda: len(rig.backend.models) == 2 and not rig.backend.open_models)


async def test_a_model_is_removed_and_added_again_at_once(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig)
    lease = rig.registry.acquire("m")
    await rig.configure({})
    await rig.configure({"m": {}})
    await until(lambda: "m" in rig.registry.models and rig.entry().ready)
    assert rig.backend.open_models == ["m/2", "m/2"]
    assert rig.registry.acquire("m") is not lease
    lease.release()
    await until(lambda: rig.backend.open_models == ["m/2"])
    assert await rig.ask() == 20


@pytest.mark.parametrize("policy", ["all", "latest:2", "specific:1,2"])
async def test_the_policy_becomes_wider_and_narrower(make_rig: MakeRig, policy: str) -> None:
    rig = await two_versions(make_rig)
    async with rig.traffic() as seen:
        await rig.configure({"m": {"model_version_policy": policy}})
        await rig.becomes(v1="AVAILABLE", v2="AVAILABLE")
        assert await rig.ask(version=1) == 10
        await rig.configure({"m": {"model_version_policy": "specific:1"}})
        await rig.becomes(v1="AVAILABLE", v2="END")
    assert not seen.errors
    assert seen.answers[-1] == 10
    assert rig.backend.loads.count("m/2") == 1


async def test_a_policy_for_a_version_that_is_not_there_yet(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig)
    async with rig.traffic() as seen:
        await rig.configure({"m": {"model_version_policy": "specific:5"}})
        await rig.rounds()
        assert rig.states()[2] == "AVAILABLE"
        rig.put("m", 5, 50)
        await rig.becomes(v2="END", v5="AVAILABLE")
    assert not seen.errors


async def test_an_older_version_is_pinned(make_rig: MakeRig) -> None:
    """A rollback by configuration."""
    rig = await two_versions(make_rig)
    async with rig.traffic() as seen:
        await rig.configure({"m": {"model_version_policy": "specific:1"}})
        await rig.becomes(v1="AVAILABLE", v2="END")
    assert not seen.errors
    assert seen.answers == sorted(seen.answers, reverse=True)


async def test_batch_settings_load_again(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig)
    before = rig.registry.resolve("m")
    async with rig.traffic() as seen:
        await rig.configure({"m": {"max_batch_size": 7}})
        await until(lambda: rig.registry.resolve("m") is not before)
    assert not seen.errors
    batcher = rig.registry.resolve("m").queues["serving_default"].batcher
    assert batcher.policy.max_batch_size == 7
    await until(lambda: rig.backend.open_models == ["m/2"])


@pytest.mark.parametrize(
    "table",
    [
        {"step_back": True, "step_back_min_requests": 5, "step_back_window_s": 1.0},
        {"servable_versions_always_present": False, "version_swap": "resource_preserving"},
        {"version_labels": {"stable": 2}, "default_label": "stable"},
        {"request_log": "requests.jsonl", "request_log_sampling_rate": 0.5},
        {"golden_answers": "golden.jsonl"},
    ],
)
async def test_other_settings_do_not(make_rig: MakeRig, table: dict[str, object]) -> None:
    rig = await two_versions(make_rig)
    await rig.configure({"m": table})
    await rig.rounds()
    assert rig.backend.loads == ["m/2"]
    assert await rig.ask() == 20


async def test_settings_change_during_a_load(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig)
    rig.backend.loading["m/3"].shut()
    rig.put("m", 3, 30)
    await until(lambda: rig.states().get(3) == "LOADING")
    await rig.configure({"m": {"max_batch_size": 7}})
    rig.backend.loading["m/3"].open()
    await until(lambda: rig.backend.open_models == ["m/3"] and rig.serves(3))
    await rig.rounds()
    batcher = rig.registry.resolve("m").queues["serving_default"].batcher
    assert batcher.policy.max_batch_size == 7


@pytest.mark.parametrize("always", [True, False])
async def test_the_base_path_moves_without_a_gap(make_rig: MakeRig, always: bool) -> None:
    rig = await two_versions(make_rig, servable_versions_always_present=always)
    rig.put("elsewhere", 1, 11)
    table = {"base_path": str(rig.root / "elsewhere"), "servable_versions_always_present": always}
    async with rig.traffic() as seen:
        await rig.configure({"m": table})
        await until(lambda: rig.backend.open_models == ["elsewhere/1"])
    assert not seen.errors
    assert rig.states() == {1: "AVAILABLE", 2: "END"}
    assert set(seen.answers) == {20, 11}


@pytest.mark.parametrize("always", [True, False])
async def test_the_base_path_moves_to_where_nothing_is(make_rig: MakeRig, always: bool) -> None:
    rig = await two_versions(make_rig, servable_versions_always_present=always)
    table = {"base_path": str(rig.root / "missing"), "servable_versions_always_present": always}
    async with rig.traffic() as seen:
        await rig.configure({"m": table})
        await until(lambda: rig.entry().error is not None)
        await rig.rounds(name="missing")
    assert not seen.errors
    assert rig.states() == {2: "AVAILABLE"}


async def test_the_base_path_moves_during_a_look(make_rig: MakeRig) -> None:
    """What that look found was in the old one."""
    rig = await two_versions(make_rig, servable_versions_always_present=False)
    rig.put("elsewhere", 2, 21)
    path = str(rig.root / "elsewhere")
    looking = rig.backend.loading["a look"]
    looking.shut()
    rig.before_look = lambda name: looking.pass_through() if name == "m" else None
    looks = rig.looks["m"]
    await until(lambda: rig.looks["m"] > looks)
    async with rig.traffic() as seen:
        await rig.configure({"m": {"base_path": path, "servable_versions_always_present": False}})
        looking.open()
        await until(lambda: rig.backend.open_models == ["elsewhere/2"])
    assert not seen.errors
    assert seen.answers[-1] == 21


async def test_the_same_configuration_again_changes_nothing(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, max_batch_size=7, version_labels={"stable": 2})
    servable = rig.registry.resolve("m")
    await rig.configure({"m": {"max_batch_size": 7, "version_labels": {"stable": 2}}})
    await rig.rounds()
    assert rig.registry.resolve("m") is servable
