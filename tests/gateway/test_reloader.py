"""A configuration is taken whole or not at all, and the status tells which."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.config.reload import ConfigSource
from gateway.config.settings import Settings
from gateway.config.status import ConfigStatus
from gateway.errors import Code, ServingError
from gateway.reload import Reloader
from tests.gateway.serving import until


class Place:
    """A folder with a tensorgate.toml, and what was applied of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tensorgate.toml"
        self.write(max_batch_size=4)
        self.source = ConfigSource({}, {}, folder)
        self.status = ConfigStatus()
        self.applied: list[Settings] = []
        self.refusal: ServingError | None = None
        settings = self.source.load().settings
        self.reloader = Reloader(self.source, settings, self._apply, self.status)

    def write(self, **values: object) -> None:
        lines = [f"{name} = {value}" for name, value in values.items()]
        self.file.write_text("\n".join([*lines, "[models.m]", 'base_path = "/models/m"']))

    async def _apply(self, settings: Settings) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.applied.append(settings)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_a_good_one_is_taken(place: Place) -> None:
    place.write(max_batch_size=8)
    assert await place.reloader.reload()
    assert place.applied[0].for_model("m").max_batch_size == 8
    assert (place.status.generation, place.status.error) == (2, "")


async def test_a_bad_one_is_not(place: Place) -> None:
    place.write(max_batch_size=0)
    assert not await place.reloader.reload()
    assert place.applied == []
    assert place.status.generation == 1
    assert "max_batch_size" in place.status.error
    place.write(max_batch_size=2)
    assert await place.reloader.reload()
    assert (place.status.generation, place.status.error, place.status.refused) == (2, "", 1)


async def test_one_that_the_models_refuse_is_not(place: Place) -> None:
    place.refusal = ServingError(Code.FAILED_PRECONDITION, "no such version")
    assert not await place.reloader.reload()
    assert place.status.error == "no such version"


async def test_settings_of_the_server_stay(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.write(rest_api_port=9999, max_batch_size=8)
    assert await place.reloader.reload()
    assert place.applied[0].rest_api_port == 8501
    assert [r.setting for r in caplog.records if hasattr(r, "setting")] == ["rest_api_port"]


async def test_files_are_followed_and_requests_heard(place: Place) -> None:
    asked = asyncio.Event()
    following = asyncio.create_task(place.reloader.follow(asked, 0.01))
    try:
        place.write(max_batch_size=8)
        await until(lambda: place.status.generation == 2)
        asked.set()
        await until(lambda: place.status.generation == 3)
        place.write(max_batch_size="[")
        await until(lambda: place.status.refused == 1)
        seen = place.status.refused
        asked.set()
        await until(lambda: place.status.refused == seen + 1)
    finally:
        following.cancel()


async def test_a_failure_of_our_own_does_not_end_it(place: Place) -> None:
    async def broken(settings: Settings) -> None:
        raise RuntimeError("boom")

    place.reloader._apply = broken
    assert not await place.reloader.reload()
    assert place.status.error == "internal error, see the log"
