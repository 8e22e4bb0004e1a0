"""Fixtures of the tests of the models' life. They run on uvloop, as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop
from blockbuster import blockbuster_ctx

from gateway.models import controller, environment
from gateway.models.looking import Look
from tests.models.rig import Rig

MakeRig = Callable[..., Rig]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of ours on the event loop fails the test."""
    with blockbuster_ctx(["gateway", "batching"]):
        yield


@pytest.fixture
async def make_rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeRig]:
    """Makes the rig of a test: models with their settings by name, server settings by flag."""
    rigs: list[Rig] = []
    look = controller.look

    def counted(base_path: Path, *arguments: Any) -> Look:
        rigs[-1].looking(base_path.name)
        return look(base_path, *arguments)

    monkeypatch.setattr(controller, "look", counted)
    monkeypatch.setattr(environment, "MOST_SETTLE_SECONDS", 0.01)

    def make(models: Mapping[str, Mapping[str, Any]] | None = None, **server: Any) -> Rig:
        rigs.append(Rig(tmp_path, models or {"m": {}}, server))
        return rigs[-1]

    yield make
    for rig in rigs:
        await rig.close()
