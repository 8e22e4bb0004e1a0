"""Liveness and readiness, from the first moment to the last."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.config.settings import Settings
from gateway.errors import Code, ServingError
from gateway.models.versions import State
from tests.gateway.fake_backend import FakeBackend, FakeSignature
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import Client, folders, serving, until

ALIVE = (200, {"status": "ok"})
BODY = {"instances": [1]}


async def livez(client: Client) -> tuple[int, object]:
    answer = await client.get("/livez")
    return answer.status, answer.json


async def readyz(client: Client) -> tuple[int, object]:
    answer = await client.get("/readyz")
    return answer.status, answer.json


def settings_for(root: Path, *names: str) -> Settings:
    folders(root, *[f"{name}/1" for name in names])
    tables = {name: {"base_path": str(root / name)} for name in names}
    return Settings.model_validate({"models": tables, "warmup": False})


async def test_before_during_and_after_the_load(tmp_path: Path) -> None:
    backend = FakeBackend({"m": FakeSignature()})
    async with serving(settings_for(tmp_path, "m"), backend, load=False) as client:
        not_ready = (503, {"status": "not ready", "models": {"m": "loading"}})
        assert (await livez(client), await readyz(client)) == (ALIVE, not_ready)

        backend.loading.shut()
        loading = asyncio.create_task(client.gateway.manager.load_all())
        entry = client.gateway.registry.models["m"]
        await until(lambda: any(r.state is State.LOADING for r in entry.versions.values()))
        assert (await livez(client), await readyz(client)) == (ALIVE, not_ready)
        answer = await client.predict("m", BODY)
        assert answer.status == 503
        assert answer.headers["Retry-After"] in ("1", "2", "3")
        assert harmless_error(answer) == "Latest(m) is being loaded"
        states = (await client.get("/v1/models/m")).json["model_version_status"]
        assert [state["state"] for state in states] == ["LOADING"]

        backend.loading.open()
        await loading
        assert (await livez(client), await readyz(client)) == (ALIVE, (200, {"status": "ready"}))
        assert (await client.predict("m", BODY)).status == 200


async def test_a_model_whose_turn_to_load_has_not_come(tmp_path: Path) -> None:
    backend = FakeBackend({"first": FakeSignature(), "second": FakeSignature()})
    settings = settings_for(tmp_path, "first", "second")
    async with serving(settings, backend, load=False) as client:
        backend.loading.shut()
        loading = asyncio.create_task(client.gateway.manager.load_all())
        await until(lambda: bool(client.gateway.registry.models["first"].versions))
        # It is configured and will be there: no client may conclude that it does not exist.
        answer = await client.predict("second", BODY)
        assert answer.status == 503
        assert answer.headers["Retry-After"] in ("1", "2", "3")
        backend.loading.open()
        await loading
        assert (await client.predict("second", BODY)).status == 200


async def test_what_cannot_be_loaded_is_named_and_the_rest_serves(tmp_path: Path) -> None:
    damaged = ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged")
    backend = FakeBackend({"good": FakeSignature(), "bad": damaged})
    settings = settings_for(tmp_path, "bad", "good", "empty")
    folders(tmp_path, "empty").joinpath("empty", "1").rmdir()
    async with serving(settings, backend) as client:
        missing = "the base path holds no numbered version folder"
        models = {"bad": damaged.message, "empty": missing}
        assert await readyz(client) == (503, {"status": "not ready", "models": models})
        assert await livez(client) == ALIVE
        assert (await client.predict("good", BODY)).status == 200
        assert (await client.predict("bad", BODY)).status == 404


async def test_a_base_path_that_is_not_there(tmp_path: Path) -> None:
    tables = {"m": {"base_path": str(tmp_path / "nowhere")}}
    settings = Settings.model_validate({"models": tables})
    async with serving(settings, FakeBackend({})) as client:
        reason = "the base path cannot be read: No such file or directory"
        assert await readyz(client) == (503, {"status": "not ready", "models": {"m": reason}})


async def test_while_draining(tmp_path: Path) -> None:
    fake = FakeSignature()
    settings = settings_for(tmp_path, "m")
    async with serving(settings, FakeBackend({"m": fake})) as client:
        fake.valve.shut()
        held = asyncio.create_task(client.predict("m", BODY))
        await until(lambda: len(fake.batches) == 1)
        client.gateway.router.draining = True
        draining = asyncio.create_task(client.gateway.drain())
        reason = {"status": "not ready", "reason": "the server is stopping"}
        assert (await livez(client), await readyz(client)) == (ALIVE, (503, reason))
        refused = await client.predict("m", BODY)
        assert refused.status == 503
        assert refused.headers["Retry-After"] in ("1", "2", "3")
        assert refused.headers["Connection"] == "close"
        assert refused.error.endswith("takes no more requests")
        fake.valve.open()
        assert (await held).json == {"predictions": [2.0]}
        await draining


@pytest.mark.parametrize("state", ["loading", "ready", "full"])
async def test_livez_is_prompt_whatever_happens(tmp_path: Path, state: str) -> None:
    fake = FakeSignature()
    backend = FakeBackend({"m": fake})
    settings = settings_for(tmp_path, "m")
    async with serving(settings, backend, load=state != "loading") as client:
        if state == "full":
            fake.valve.shut()
            held = [asyncio.create_task(client.predict("m", BODY)) for _ in range(100)]
            await until(lambda: client.gateway.router.in_flight == 100)
        async with asyncio.timeout(1):
            assert await livez(client) == ALIVE
        if state == "full":
            fake.valve.open()
            await asyncio.gather(*held)
