"""Whatever happens to folders and settings: each copy of a version is closed once, by then nobody
uses it, and no request is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from gateway.models import environment
from tests.gateway.serving import until
from tests.models.conftest import MakeRig
from tests.models.rig import Rig

TABLES = (
    {},
    {"model_version_policy": "all"},
    {"model_version_policy": "latest:2"},
    {"max_batch_size": 8},
    {"model_version_policy": "specific:2,3", "max_batch_size": 8},
    {"shadow": {"version": 3}},
)
VERSIONS = range(1, 5)


def _put(rig: Rig, chance: random.Random) -> None:
    rig.put("m", chance.choice(VERSIONS), chance.choice([1, 2, 3, "damaged"]))


def _delete(rig: Rig, chance: random.Random) -> None:
    version = chance.choice(VERSIONS)
    if (rig.root / "m" / str(version)).exists():
        rig.delete("m", version)


def _hang(rig: Rig, chance: random.Random) -> None:
    rig.backend.loading[f"m/{chance.choice(VERSIONS)}"].shut()


def _go_on(rig: Rig, chance: random.Random) -> None:
    rig.backend.open_valves()


def _crash(rig: Rig, chance: random.Random) -> None:
    rig.backend.crashes[f"m/{chance.choice(VERSIONS)}"] = 1


STEPS: tuple[Callable[[Rig, random.Random], None], ...] = (
    *(_put, _put, _put),
    *(_delete, _delete),
    *(_hang, _go_on, _crash),
)


@pytest.mark.parametrize("seed", range(6))
async def test_a_random_history(make_rig: MakeRig, seed: int) -> None:
    chance = random.Random(seed)
    rig = make_rig(max_num_load_retries=1)
    rig.put("m", 1, 1)
    await rig.start()
    leases = [rig.registry.acquire("m")]
    async with rig.traffic() as one, rig.traffic() as other:
        for _ in range(40):
            chance.choice(STEPS)(rig, chance)
            if chance.random() < 0.2:
                await rig.configure({"m": chance.choice(TABLES)})
            if chance.random() < 0.3:
                leases.append(rig.registry.acquire("m"))
            if leases and chance.random() < 0.3:
                leases.pop(chance.randrange(len(leases))).release()
            await rig.rounds(chance.randrange(2))
        assert not one.errors
        assert not other.errors
        await _settles_down(rig, leases)
        assert await rig.ask() == 9


async def _settles_down(rig: Rig, leases: list) -> None:  # type: ignore[type-arg]
    """Once all is well again there is one version, and nothing else in memory."""
    rig.backend.open_valves()
    await rig.configure({"m": {}})
    rig.put("m", 5, 9)
    await rig.until_serves(5)
    for servable in leases:
        servable.release()
    await until(lambda: rig.backend.open_models == ["m/5"])


async def test_a_version_that_gets_no_queues_is_closed(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: object) -> None:
        raise ValueError("the rules contradict each other")

    rig = make_rig(max_num_load_retries=1)
    rig.put("m", 1, 10)
    with monkeypatch.context() as patch:
        patch.setattr(environment, "make_servable", failing)
        await rig.start()
        await until(lambda: len(rig.backend.models) == 2 and not rig.backend.open_models)
    assert rig.states() == {1: "END"}
    assert rig.reason(1) == "the version could not be loaded"


async def test_metrics_of_unloaded_versions_go(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.put("m", 1, 10)
    await rig.start()
    assert await rig.ask() == 10
    assert b'version="1"' in rig.metrics.render()
    rig.put("m", 2, 20)
    await rig.becomes(v1="END", v2="AVAILABLE")
    assert await rig.ask() == 20
    rendered = rig.metrics.render()
    assert b'version="1"' not in rendered
    assert b'version="2"' in rendered


@pytest.mark.parametrize("poll", [1e-6, 0.001])
async def test_a_look_may_take_longer_than_the_time_between_looks(
    make_rig: MakeRig, poll: float
) -> None:
    rig = make_rig(file_system_poll_wait_seconds=poll)
    rig.put("m", 1, 10)
    await rig.start()
    await rig.rounds(20)
    rig.put("m", 2, 20)
    await rig.becomes(v1="END", v2="AVAILABLE")


async def test_the_end_of_the_process_gives_up_loads_without_a_word(
    make_rig: MakeRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig = make_rig()
    rig.put("m", 1, 1)
    await rig.start()
    rig.backend.loading["m/2"].shut()
    rig.put("m", 2, 2)
    await rig.becomes(v1="AVAILABLE", v2="LOADING")
    rig.manager.close()
    rig.backend.loading["m/2"].open()
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == []
