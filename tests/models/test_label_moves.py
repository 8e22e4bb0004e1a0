"""Labels in a running server."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway.errors import Code, ServingError
from tests.models.conftest import MakeRig
from tests.models.rig import Rig

Table = dict[str, object]


def labelled(policy: str = "all", **labels: object) -> dict[str, Table]:
    return {"m": {"model_version_policy": policy, "version_labels": labels}}


async def two_versions(make_rig: MakeRig, models: dict[str, Table], **server: object) -> Rig:
    rig = make_rig(models, **server)
    rig.put("m", 1, 10)
    rig.put("m", 2, 20)
    return await rig.start()


async def test_a_label_moves_without_a_gap(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled(stable=1))
    async with rig.traffic(label="stable") as seen:
        await rig.configure(labelled(stable=2))
        assert await rig.ask(label="stable") == 20, "at once"
    assert not seen.errors
    assert seen.answers == sorted(seen.answers)
    assert set(seen.answers) == {10, 20}


async def test_a_label_that_nobody_knows(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled(stable=1))
    with pytest.raises(ServingError, match="Unrecognized servable version label: canary") as caught:
        await rig.ask(label="canary")
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("label", ["stable", "canary"])
async def test_a_label_may_not_go_to_a_version_that_is_not_there(
    make_rig: MakeRig, label: str
) -> None:
    rig = await two_versions(make_rig, labelled(stable=1))
    refused = {
        "m": {
            "model_version_policy": "all",
            "max_batch_size": 7,
            "version_labels": {"stable": 1, label: 9},
        },
        "new": {},
    }
    with pytest.raises(ServingError) as caught:
        await rig.configure(refused)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert caught.value.message == (
        "Request to assign label to version 9 of model m, which is not currently available for "
        "inference"
    )
    await rig.rounds()
    assert list(rig.registry.models) == ["m"]
    assert rig.entry().label_targets == {"stable": {1: 1.0}}
    assert sorted(rig.backend.loads) == ["m/1", "m/2"], "nothing of it is taken"


async def test_one_model_refused_leaves_all_as_they_were(make_rig: MakeRig) -> None:
    rig = make_rig({"a": {}, "b": {}})
    for name in ("a", "b"):
        rig.put(name, 1, 10)
    await rig.start()
    models = {"a": {"version_labels": {"stable": 1}}, "b": {"version_labels": {"stable": 2}}}
    with pytest.raises(ServingError, match="version 2 of model b"):
        await rig.configure(models)
    assert rig.entry("a").label_targets == {}
    assert rig.entry("a").settings.version_labels == {}


async def test_a_label_waits_for_the_version_it_will_get(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled("specific:1", stable=1))
    rig.backend.loading["m/2"].shut()
    async with rig.traffic(label="stable") as seen:
        await rig.configure(labelled("specific:2", stable=2, new=2))
        await rig.becomes(v1="AVAILABLE", v2="LOADING")
        await rig.rounds()
        assert rig.entry().label_targets == {"stable": {1: 1.0}}
        rig.backend.loading["m/2"].open()
        await rig.becomes(v1="END", v2="AVAILABLE")
    assert not seen.errors
    assert rig.entry().label_targets == {"stable": {2: 1.0}, "new": {2: 1.0}}
    assert set(seen.answers) == {10, 20}


async def test_a_labelled_version_stays_until_the_label_has_moved(make_rig: MakeRig) -> None:
    rig = make_rig(labelled("latest", stable=1))
    rig.put("m", 1, 10)
    await rig.start()
    rig.put("m", 2, 20)
    await rig.becomes(v1="AVAILABLE", v2="AVAILABLE")
    await rig.rounds()
    assert (await rig.ask(label="stable"), await rig.ask()) == (10, 20)
    await rig.configure(labelled("latest", stable=2))
    await rig.becomes(v1="END", v2="AVAILABLE")
    assert await rig.ask(label="stable") == 20


async def test_a_label_does_not_block_a_resource_preserving_swap(make_rig: MakeRig) -> None:
    models = labelled("latest", stable=1)
    models["m"]["version_swap"] = "resource_preserving"
    rig = make_rig(models)
    rig.put("m", 1, 10)
    await rig.start()
    rig.put("m", 2, 20)
    await rig.becomes(v1="AVAILABLE", v2="AVAILABLE")
    models["m"]["version_labels"] = {"stable": 2}
    await rig.configure(models)
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_a_label_whose_version_breaks_stays_where_it_is(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled("specific:1", stable=1), max_num_load_retries=0)
    rig.put("m", 3, "damaged")
    async with rig.traffic(label="stable") as seen:
        await rig.configure(labelled("specific:3", stable=3))
        await rig.becomes(v1="AVAILABLE", v3="END")
        rig.put("m", 3, 30)
        await rig.becomes(v1="END", v3="AVAILABLE")
    assert not seen.errors
    assert seen.answers[-1] == 30


async def test_weights_share_the_requests(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled(split={1: 0.75, 2: 0.25}))
    answers = [await rig.ask(label="split") for _ in range(40)]
    assert Counter(answers) == {10: 30, 20: 10}
    rig.delete("m", 1)
    await rig.rounds()
    assert rig.states()[1] == "AVAILABLE", "the label holds it"
    assert 10 in [await rig.ask(label="split") for _ in range(4)]


async def test_the_default_label(make_rig: MakeRig) -> None:
    models = labelled("all", stable=1)
    models["m"]["default_label"] = "stable"
    rig = await two_versions(make_rig, models)
    assert await rig.ask() == 10
    assert await rig.ask(version=2) == 20
    models["m"]["default_label"] = "nobody"
    await rig.configure(models)
    assert await rig.ask() == 20, "what it names is not in force: the latest"


async def test_a_label_for_later_if_that_is_allowed(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled(), allow_version_labels_for_unavailable_models=True)
    await rig.configure(labelled(next=3))
    assert rig.entry().label_targets == {"next": {3: 1.0}}
    with pytest.raises(ServingError, match=r"Specific\(m, 3\)"):
        await rig.ask(label="next")
    rig.put("m", 3, 30)
    await rig.until_serves(3)
    assert await rig.ask(label="next") == 30
    with pytest.raises(ServingError, match="version 4"):
        await rig.configure(labelled(next=4))


async def test_labels_of_the_start_wait_for_the_loads(make_rig: MakeRig) -> None:
    rig = make_rig(labelled("specific:1,3", stable=1, next=3))
    rig.put("m", 1, 10)
    await rig.start()
    assert rig.entry().label_targets == {}
    rig.put("m", 3, 30)
    await rig.becomes(v1="AVAILABLE", v3="AVAILABLE")
    assert rig.entry().label_targets == {"stable": {1: 1.0}, "next": {3: 1.0}}


async def test_labels_are_taken_away(make_rig: MakeRig) -> None:
    rig = await two_versions(make_rig, labelled("latest", stable=2))
    await rig.configure(labelled("latest"))
    with pytest.raises(ServingError, match="Unrecognized"):
        await rig.ask(label="stable")
