"""Processes that do not stay alive."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gateway.config import Settings
from gateway.supervisor import restarts, supervisor
from gateway.supervisor.child import Child
from gateway.supervisor.sockets import open_sockets
from gateway.supervisor.supervisor import EXIT_CRASHED, GivenUp, Supervisor

ENDS_AT_ONCE = "tests.supervisor.ends_at_once"
STAYS = "tests.supervisor.stays"


async def supervised(stop: asyncio.Event) -> None:
    sockets = await open_sockets("127.0.0.1", 0, 1)
    await Supervisor(Settings(), {}, sockets).run(stop.wait())


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones in the place of fronts and engine."""
    monkeypatch.setattr(restarts, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "ENGINE_MODULE", STAYS)
    monkeypatch.setattr(supervisor, "FRONT_MODULE", STAYS)


@pytest.mark.parametrize(
    ("which", "name"), [("ENGINE_MODULE", "the engine"), ("FRONT_MODULE", "front 0")]
)
async def test_one_that_dies_again_and_again(
    modules: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    which: str,
    name: str,
) -> None:
    monkeypatch.setattr(supervisor, which, ENDS_AT_ONCE)
    with pytest.raises(GivenUp, match=f"{name} does not stay alive: exit code 9") as given_up:
        await supervised(asyncio.Event())
    assert given_up.value.code == EXIT_CRASHED
    told = [r for r in caplog.records if r.message == "a process died and is started again"]
    assert len(told) == restarts.MOST_DEATHS - 1
    assert all(r.levelno == logging.ERROR for r in told)


async def test_a_stop_while_one_waits_to_be_started_again(
    modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ENGINE_MODULE", ENDS_AT_ONCE)
    monkeypatch.setattr(restarts, "FIRST_DELAY_SECONDS", 60.0)
    stop = asyncio.Event()
    running = asyncio.create_task(supervised(stop))
    died = asyncio.Event()
    real = Child.wait

    async def wait(child: Child) -> int:
        code = await real(child)
        died.set()
        return code

    monkeypatch.setattr(Child, "wait", wait)
    async with asyncio.timeout(20):
        await died.wait()
        stop.set()
        await running
