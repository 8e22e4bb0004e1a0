"""Models loaded and unloaded by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code, ServingError
from tests.gateway.serving import until
from tests.models.repository_rig import RepositoryRig

Make = Callable[..., Awaitable[RepositoryRig]]


@pytest.fixture
async def make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[RepositoryRig]]]:
    """A rig in explicit mode; ``m`` has the versions 1, not loaded unless a flag says so."""
    monkeypatch.setattr("gateway.models.environment.MOST_SETTLE_SECONDS", 0.01)
    rigs: list[RepositoryRig] = []

    async def call(**flags: str) -> RepositoryRig:
        root = tmp_path / "models"
        if not root.exists():
            root.mkdir()
            (root / "m" / "1").mkdir(parents=True)
            (root / "m" / "1" / "factor").write_text("10")
        rigs.append(await RepositoryRig.make(root, {"model_control_mode": "explicit", **flags}))
        await rigs[-1].start()
        return rigs[-1]

    yield call
    for rig in rigs:
        await rig.close()


@asynccontextmanager
async def refused(code: Code, message: str) -> AsyncIterator[None]:
    with pytest.raises(ServingError) as caught:
        yield
    assert (caught.value.code, caught.value.message) == (code, message)


async def test_nothing_is_loaded_before_it_is_asked_for(make: Make) -> None:
    rig = await make()
    assert rig.registry.models == {}
    assert rig.control.index() == [("m", "")]


async def test_a_model_of_the_start(make: Make) -> None:
    rig = await make(load_model="m")
    assert await rig.ask() == 10
    assert rig.control.index() == []


async def test_a_load_is_over_when_the_model_serves(make: Make) -> None:
    rig = await make()
    await rig.control.load("m")
    assert await rig.ask() == 10
    assert rig.control.index() == []


async def test_a_load_of_what_is_loaded_changes_nothing(make: Make) -> None:
    rig = await make(load_model="m")
    await rig.control.load("m")
    assert rig.backend.loads == ["m/1"]


async def test_a_new_version_is_loaded_when_that_is_asked_for(make: Make) -> None:
    rig = await make(load_model="m")
    rig.put("m", 2, 20)
    assert await rig.ask() == 10
    async with rig.traffic() as seen:
        await rig.control.load("m")
        assert await rig.ask() == 20
    assert not seen.errors


async def test_a_new_config_pbtxt_is_read(make: Make) -> None:
    rig = await make(load_model="m")
    rig.put("m", 2, 20)
    rig.config("m", "max_batch_size: 4 version_policy { specific { versions: 1 } }")
    await rig.control.load("m")
    assert rig.entry().settings.max_batch_size == 4
    assert await rig.ask() == 10
    assert rig.backend.loads == ["m/1", "m/1"], "what was loaded under other settings"


async def test_a_given_configuration_counts_this_time(make: Make) -> None:
    rig = await make()
    rig.config("m", "max_batch_size: 4 dynamic_batching {}")
    await rig.control.load("m", {"max_batch_size": 2})
    settings = rig.entry().settings
    assert (settings.max_batch_size, settings.batching) == (2, "off")
    await rig.control.load("m")
    assert rig.entry().settings.max_batch_size == 4


async def test_only_the_named_model_is_read(make: Make) -> None:
    rig = await make(load_model="m")
    rig.put("other", 1, 30)
    rig.config("m", "max_batch_size: broken")
    await rig.control.load("other")
    assert (await rig.ask(), await rig.ask("other")) == (10, 30)


async def test_an_unloaded_model_is_gone_and_can_come_back(make: Make) -> None:
    rig = await make(load_model="m")
    await rig.control.unload("m")
    assert rig.registry.models == {}
    assert rig.control.index() == [("m", "unloaded")]
    with pytest.raises(ServingError) as caught:
        await rig.ask()
    assert caught.value.code is Code.NOT_FOUND
    await until(lambda: rig.backend.open_models == [])
    await rig.control.load("m")
    assert await rig.ask() == 10
    assert rig.control.index() == []


async def test_requests_before_an_unload_are_answered(make: Make) -> None:
    rig = await make(load_model="m")
    rig.backend.running["m/1"].shut()
    async with rig.request() as request:
        await until(lambda: rig.model("m", 1).running == 1)
        await rig.control.unload("m", unload_dependents=True)
        assert rig.backend.open_models == ["m/1"]
        rig.backend.running["m/1"].open()
        assert await request == 10
    await until(lambda: rig.backend.open_models == [])


async def test_an_unload_of_what_is_not_loaded(make: Make) -> None:
    rig = await make()
    await rig.control.unload("m")
    assert rig.control.index() == [("m", "")]


@pytest.mark.parametrize("name", ["", ".", "..", "../m", "a/b", "a\\b", "a:b", ".hidden", "a\0"])
async def test_names_that_no_model_can_have(make: Make, name: str) -> None:
    rig = await make()
    for change in (rig.control.load, rig.control.unload):
        with pytest.raises(ServingError) as caught:
            await change(name)
        assert caught.value.code is Code.INVALID_ARGUMENT
        assert "can be no model's name" in caught.value.message
    assert not rig.control._one_at_a_time


async def test_models_that_the_repository_does_not_have(make: Make) -> None:
    rig = await make()
    async with refused(Code.NOT_FOUND, "failed to load 'x', failed to poll from model repository"):
        await rig.control.load("x")
    async with refused(
        Code.NOT_FOUND, "failed to unload 'x', failed to poll from model repository"
    ):
        await rig.control.unload("x")
    assert rig.registry.models == {}
    assert not rig.control._one_at_a_time


async def test_a_model_that_comes_later(make: Make) -> None:
    rig = await make()
    rig.put("late", 1, 40)
    assert rig.control.index() == [("m", "")]
    await rig.control.look()
    assert rig.control.index() == [("late", ""), ("m", "")]
    await rig.control.load("late")
    assert await rig.ask("late") == 40


async def test_a_repository_that_cannot_be_read(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await make(load_model="m")
    rig.root.rename(rig.root.parent / "gone")
    await rig.control.look()
    assert rig.control.index() == []
    assert any("is not read" in message for message in caplog.messages)
    with pytest.raises(ServingError) as caught:
        await rig.control.load("m")
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert str(rig.root.parent) not in caught.value.message
    assert await rig.ask() == 10


async def test_a_load_that_fails_says_why(make: Make) -> None:
    rig = await make()
    rig.put("m", 1, "its files are damaged")
    async with refused(
        Code.INVALID_ARGUMENT,
        "load failed for model 'm': version 1 is at UNAVAILABLE state: its files are damaged;",
    ):
        await rig.control.load("m")
    assert rig.states() == {1: "END"}


async def test_a_load_that_failed_is_tried_again_when_that_is_asked_for(make: Make) -> None:
    rig = await make()
    rig.backend.crashes["m/1"] = 2
    for _ in range(2):
        with pytest.raises(ServingError):
            await rig.control.load("m")
    assert rig.backend.loads == ["m/1", "m/1"], "not by itself"
    await rig.control.load("m")
    assert await rig.ask() == 10


async def test_a_failed_reload_leaves_what_serves(make: Make) -> None:
    rig = await make(load_model="m")
    rig.put("m", 1, "damaged")
    async with rig.traffic() as seen:
        with pytest.raises(ServingError, match="damaged"):
            await rig.control.load("m")
    assert not seen.errors
    assert await rig.ask() == 10


async def test_a_config_pbtxt_that_is_refused_leaves_what_serves(make: Make) -> None:
    rig = await make(load_model="m")
    rig.config("m", "max_batch_size: -2")
    async with refused(
        Code.INVALID_ARGUMENT,
        "failed to load 'm', config.pbtxt, line 1, column 1: max_batch_size must not be negative,"
        " not -2",
    ):
        await rig.control.load("m")
    assert await rig.ask() == 10
    assert "must not be negative" in rig.error()
    rig.config("m", "max_batch_size: 2")
    await rig.control.load("m")
    assert (rig.error(), rig.entry().settings.max_batch_size) == ("", 2)


async def test_a_model_without_versions(make: Make) -> None:
    rig = await make()
    rig.config("empty", "max_batch_size: 2")
    async with refused(
        Code.INVALID_ARGUMENT,
        "failed to load 'empty', no version is available: "
        "the base path holds no numbered version folder",
    ):
        await rig.control.load("empty")


async def test_a_model_of_another_framework(make: Make) -> None:
    rig = await make()
    rig.config("m", 'backend: "python"')
    with pytest.raises(ServingError, match="failed to load 'm', backend \"python\" is not served"):
        await rig.control.load("m")
    assert rig.registry.ready, "nothing that could be waited for is missing"


async def test_what_was_begun_goes_on_when_the_caller_leaves(make: Make) -> None:
    rig = await make()
    rig.backend.loading["m/1"].shut()
    load = asyncio.create_task(rig.control.load("m"))
    await until(lambda: rig.backend.loads == ["m/1"])
    load.cancel()
    with pytest.raises(asyncio.CancelledError):
        await load
    rig.backend.loading["m/1"].open()
    await until(lambda: rig.entry().ready)


async def test_changes_of_one_model_come_one_after_the_other(make: Make) -> None:
    rig = await make()
    rig.put("other", 1, 30)
    rig.backend.loading["m/1"].shut()
    async with asyncio.TaskGroup() as group:
        group.create_task(rig.control.load("m"))
        await until(lambda: rig.backend.loads == ["m/1"])
        unload = group.create_task(rig.control.unload("m"))
        await rig.control.load("other")
        assert await rig.ask("other") == 30
        assert not unload.done()
        rig.backend.loading["m/1"].open()
    assert list(rig.registry.models) == ["other"]


async def test_a_broken_server_configuration_changes_nothing(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await make()
    (rig.root.parent / "tensorgate.toml").write_text("max_batch_size = 0")
    with pytest.raises(ServingError) as caught:
        await rig.control.load("m")
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert "max_batch_size must be at least 1" in caught.value.message
    assert rig.registry.models == {}


async def test_models_from_elsewhere_are_left_alone(make: Make, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "1").mkdir(parents=True)
    (elsewhere / "1" / "factor").write_text("50")
    table = f'[models.own]\nbase_path = "{elsewhere}"'
    (tmp_path / "tensorgate.toml").write_text(table)
    rig = await make()
    with pytest.raises(ServingError, match="it is not of the model repository"):
        await rig.control.unload("own")
    with pytest.raises(ServingError, match="failed to poll from model repository"):
        await rig.control.load("own")
    assert await rig.ask("own") == 50


async def test_fields_without_effect_are_logged(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await make()
    rig.config("m", "response_cache { enable: true }")
    with caplog.at_level(logging.WARNING):
        await rig.control.load("m")
    notes: list[Any] = [getattr(record, "note", None) for record in caplog.records]
    assert "response_cache.enable has no effect: answers are not cached" in notes
