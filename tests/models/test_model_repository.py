"""A repository that is polled: folders and config.pbtxt files that come, change and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.errors import ServingError
from tests.gateway.serving import until
from tests.models.repository_rig import RepositoryRig

Make = Callable[..., Awaitable[RepositoryRig]]


@pytest.fixture
async def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[RepositoryRig]]]:
    """A rig that follows its files; ``m`` has the version 1 and a config.pbtxt."""
    monkeypatch.setattr("gateway.models.environment.MOST_SETTLE_SECONDS", 0.01)
    rigs: list[RepositoryRig] = []
    following: list[asyncio.Task[None]] = []

    async def call(
        config: str = "max_batch_size: 4 dynamic_batching {}", **flags: str
    ) -> RepositoryRig:
        root = tmp_path / "models"
        (root / "m" / "1").mkdir(parents=True)
        (root / "m" / "1" / "factor").write_text("10")
        (root / "m" / "config.pbtxt").write_text(config)
        rig = await RepositoryRig.make(root, {"model_control_mode": "poll", **flags})
        rigs.append(rig)
        await rig.start()
        following.append(asyncio.create_task(rig.reloader.follow(asyncio.Event(), 0.01)))
        return rig

    yield call
    for task in following:
        task.cancel()
    for rig in rigs:
        await rig.close()


async def test_models_come_and_go(make: Make) -> None:
    rig = await make()
    async with rig.traffic() as seen:
        rig.put("new", 1, 20)
        await until(lambda: "new" in rig.registry.models and rig.entry("new").ready)
        assert await rig.ask("new") == 20
        rig.delete("new")
        await until(lambda: "new" not in rig.registry.models)
    assert not seen.errors
    await until(lambda: rig.backend.open_models == ["m/1"])


async def test_versions_are_swapped(make: Make) -> None:
    rig = await make()
    async with rig.traffic() as seen:
        rig.put("m", 2, 20)
        await rig.answers(20)
    assert not seen.errors


async def test_a_new_config_pbtxt_loads_the_model_again(make: Make) -> None:
    rig = await make()
    async with rig.traffic() as seen:
        rig.config("m", "max_batch_size: 8 dynamic_batching {}")
        await until(lambda: rig.backend.loads == ["m/1", "m/1"])
        await until(lambda: rig.backend.open_models == ["m/1"])
    assert not seen.errors
    assert rig.entry().settings.max_batch_size == 8


async def test_a_change_without_meaning_does_not(make: Make) -> None:
    rig = await make()
    rig.config("m", "max_batch_size: 4 dynamic_batching {} optimization {}")
    generation = rig.registry.configuration.generation
    await until(lambda: rig.registry.configuration.generation > generation)
    await rig.control.look()
    assert rig.backend.loads == ["m/1"]


async def test_a_version_policy_is_followed_without_a_load(make: Make) -> None:
    rig = await make()
    rig.put("m", 2, 20)
    await rig.answers(20)
    rig.config("m", "max_batch_size: 4 dynamic_batching {} version_policy { all {} }")
    await rig.becomes(v1="AVAILABLE", v2="AVAILABLE")
    assert rig.backend.loads.count("m/2") == 1


async def test_a_broken_config_pbtxt_leaves_what_serves_until_it_is_mended(make: Make) -> None:
    rig = await make()
    async with rig.traffic() as seen:
        rig.config("m", "max_batch_size: many")
        await until(lambda: "Couldn't parse integer" in rig.error())
        rig.put("m", 2, 20)
        await rig.answers(20)
        assert "Couldn't parse integer" in rig.error()
        rig.config("m", "max_batch_size: 2")
        await until(lambda: rig.entry().settings.max_batch_size == 2)
        await until(lambda: rig.error() == "")
    assert not seen.errors


async def test_a_model_that_never_was_right_waits_for_its_config_pbtxt(make: Make) -> None:
    rig = await make(config="max_batch_size: many")
    assert not rig.entry().ready
    assert list(rig.registry.waiting()) == ["m"]
    with pytest.raises(ServingError, match=r"not found for request: .*Couldn't parse integer"):
        await rig.ask()
    with pytest.raises(ServingError, match=r"any versions of model m: .*Couldn't parse"):
        rig.registry.status("m")
    rig.config("m", "max_batch_size: 2")
    await until(lambda: rig.entry().ready)
    assert await rig.ask() == 10
    assert rig.registry.ready


async def test_a_model_of_another_framework_keeps_nobody_waiting(make: Make) -> None:
    rig = await make(config='platform: "onnxruntime_onnx"')
    assert not rig.entry().ready
    assert rig.registry.ready
    assert rig.backend.loads == []
    rig.config("m", "max_batch_size: 2")
    await until(lambda: rig.entry().ready)
    assert await rig.ask() == 10


async def test_a_repository_that_vanishes_leaves_what_serves(make: Make) -> None:
    rig = await make()
    rig.root.rename(rig.root.parent / "elsewhere")
    await until(lambda: "cannot be read" in rig.registry.configuration.error)
    assert await rig.ask() == 10


async def test_readiness_without_strictness(make: Make) -> None:
    rig = await make(config="max_batch_size: many")
    assert not rig.registry.ready
    rig.registry.strict_readiness = False
    assert rig.registry.ready
    rig.backend.loading["slow/1"].shut()
    rig.put("slow", 1, 20)
    await until(lambda: "slow" in rig.registry.models)
    assert list(rig.registry.waiting()) == ["slow"]
    rig.backend.loading["slow/1"].open()
    await until(lambda: rig.registry.ready)
