"""Versions that change while requests are under way, through fronts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gateway.front.request
from gateway.config.settings import Settings
from gateway.http.large import LARGE_BODY_BYTES
from tests.front.rig import Rig, fronted
from tests.gateway.fake_backend import FakeSignature, by_name, spec
from tests.gateway.keepalive import KeepAliveClient, Ledger, predict_request
from tests.gateway.serving import until
from tests.hot.requests import ANSWER, post

CLIENTS = 8


def numbered(version: int, dtype: str = "float32") -> FakeSignature:
    """Answers the version's number for each row."""
    return FakeSignature(
        lambda inputs: {"y": np.full(len(inputs["x"]), version, np.float32)},
        inputs=by_name(spec("x", dtype)),
    )


@asynccontextmanager
async def two_versions(
    root: Path, first: FakeSignature, second: FakeSignature, **settings: Any
) -> AsyncIterator[Rig]:
    """Version 1 is served; ``change`` may bring version 2."""
    contents = {"m/1": first, "m/2": second}
    model = {"m": {"model_version_policy": "specific:1", **settings}}
    async with fronted(root, contents, fronts=2, models=model) as rig:
        rig.client.gateway.manager.watch()
        yield rig


async def change(rig: Rig, **model: Any) -> None:
    """Other settings for the model."""
    gateway = rig.client.gateway
    tables = {"m": {"base_path": gateway.settings.models["m"].base_path, **model}}
    changed = gateway.settings.model_dump() | {"models": tables}
    await gateway.apply(Settings.model_validate(changed))


async def answers_of(rig: Rig, number: int, path: str = "m") -> list[float]:
    found = []
    for asked in range(number):
        answer = await rig.fronts[asked % 2].predict(path, {"instances": [1]})
        assert answer.status == 200, answer
        found += answer.json["predictions"]
    return found


def serves(rig: Rig, version: int) -> bool:
    latest = rig.client.gateway.registry.models["m"].latest
    return latest is not None and latest.version == version


@pytest.mark.parametrize("dtype", ["float32", "int32"], ids=["same signature", "another"])
async def test_a_swap_under_load_loses_nothing(tmp_path: Path, dtype: str) -> None:
    async with two_versions(tmp_path, numbered(1), numbered(2, dtype)) as rig:
        request = predict_request("m", b'{"instances":[1]}')
        ledgers = []
        for answer in (1.0, 2.0):
            if answer == 2.0:
                # The load goes on from version 1 to version 2.
                await change(rig, model_version_policy="specific:2")
            ledger = Ledger()
            ledgers.append(ledger)
            clients = [
                KeepAliveClient(front.port, request, {"predictions": [answer]}, ledger)
                for front in rig.fronts
                for _ in range(CLIENTS)
            ]
            load = [asyncio.create_task(client.run()) for client in clients]
            await until(lambda ledger=ledger: ledger.answered > 20 * CLIENTS)
            if answer == 2.0:
                await until(lambda: serves(rig, 2))
                ledger.wrong = 0
                before = ledger.answered
                await until(lambda ledger=ledger, n=before: ledger.answered > n + 20 * CLIENTS)
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
        for ledger in ledgers:
            assert (ledger.cut, ledger.lost, ledger.unread) == (0, 0, 0)
        # Those that were under way during the swap may be of either version.
        assert ledgers[0].wrong == 0
        assert ledgers[1].wrong <= 2 * CLIENTS


async def test_a_request_that_was_read_by_the_old_signature(tmp_path: Path) -> None:
    """The front has not heard of the new one; the engine reads the request itself."""
    second = numbered(2, "int32")
    async with two_versions(tmp_path, numbered(1), second) as rig:
        assert await answers_of(rig, 2) == [1.0, 1.0]
        rig.client.gateway.registry.watchers.clear()
        await change(rig, model_version_policy="specific:2")
        await until(lambda: serves(rig, 2))
        wire = rig.front.wire()
        wire.send(post(b'{"instances":[1,2]}') + post(b'{"instances":[1.5]}'))
        replayed, refused = await wire.answers(2)
        assert replayed.body == b'{"predictions":[2.0,2.0]}'
        assert refused.code == 400
        assert rig.front.relayed == 0
        assert second.batches[-1]["x"].dtype == np.int32
        counted = "tensorgate_requests_total"
        assert await rig.client.metric(counted, model="m", code="200") == 3


async def test_a_front_knows_of_a_new_version_before_its_clients(tmp_path: Path) -> None:
    """A text is no number; as soon as the status says that version 2 serves, it is."""
    second = FakeSignature(
        lambda inputs: {"y": np.full(len(inputs["x"]), 2, np.float32)},
        inputs=by_name(spec("x", "object")),
    )
    async with two_versions(tmp_path, numbered(1), second) as rig:
        body = {"instances": ["text"]}
        for front in rig.fronts:
            assert (await front.predict("m", body)).status == 400
        await change(rig, model_version_policy="specific:2")
        while True:
            status = (await rig.front.get("/v1/models/m/versions/2")).body
            if b"AVAILABLE" in status:
                break
        for front in rig.fronts:
            assert (await front.predict("m", body)).json == {"predictions": [2.0]}


async def test_weights_of_labels_are_exact(tmp_path: Path) -> None:
    async with two_versions(tmp_path, numbered(1), numbered(2)) as rig:
        await change(
            rig,
            model_version_policy="specific:1,2",
            version_labels={"split": {1: 1, 2: 3}},
            default_label="split",
        )
        entry = rig.client.gateway.registry.models["m"]
        await until(lambda: "split" in entry.label_targets)
        for path in ("m/labels/split", "m"):
            found = await answers_of(rig, 16, path)
            assert (found.count(1.0), found.count(2.0)) == (4, 12)
        assert await answers_of(rig, 2, "m/versions/1") == [1.0, 1.0]
        assert rig.fronts[0].relayed == 0


async def test_a_label_of_versions_that_differ(tmp_path: Path) -> None:
    """Which signature a request is read by is known only when its version is."""
    async with two_versions(tmp_path, numbered(1), numbered(2, "int32")) as rig:
        labels = {"split": {1: 1, 2: 1}}
        await change(rig, model_version_policy="specific:1,2", version_labels=labels)
        entry = rig.client.gateway.registry.models["m"]
        await until(lambda: "split" in entry.label_targets)
        assert sorted(await answers_of(rig, 8, "m/labels/split")) == [1.0] * 4 + [2.0] * 4


async def test_those_who_look_on_see_the_request(tmp_path: Path) -> None:
    log = tmp_path / "requests"
    log.mkdir()
    async with two_versions(tmp_path, numbered(1), numbered(2)) as rig:
        await answers_of(rig, 2)
        assert rig.front.relayed == 0
        options = {"request_log": str(log / "m.jsonl"), "request_log_format": "jsonl"}
        await change(rig, model_version_policy="specific:1", **options)
        await answers_of(rig, 2)
        counts = rig.client.gateway.request_log.counts["m"]
        await until(lambda: counts.written == 2)
        await rig.client.gateway.close_request_logs(5)


async def test_a_model_that_is_gone(tmp_path: Path) -> None:
    async with two_versions(tmp_path, numbered(1), numbered(2)) as rig:
        await answers_of(rig, 2)
        gateway = rig.client.gateway
        await gateway.apply(gateway.settings.model_copy(update={"models": {}}))
        for front in rig.fronts:
            answer = await front.predict("m", {"instances": [1]})
            assert answer.status == 404
        assert (await rig.front.predict("m", b"{")).status == (
            await rig.client.predict("m", b"{")
        ).status


async def test_a_large_request_that_was_read_by_the_old_signature(tmp_path: Path) -> None:
    """It is too long to be read on the engine's event loop."""
    async with two_versions(tmp_path, numbered(1), numbered(2, "int32")) as rig:
        rig.client.gateway.registry.watchers.clear()
        await change(rig, model_version_policy="specific:2")
        await until(lambda: serves(rig, 2))
        wire = rig.front.wire()
        wire.send(post(b'{"instances":[%b]}' % b",".join([b"1"] * LARGE_BODY_BYTES)))
        answer = await wire.answer()
        assert answer.body.count(b"2.0") == LARGE_BODY_BYTES
        assert rig.front.relayed == 1


async def test_connections_that_were_there_before_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their requests are read by the front as soon as it can."""
    bodies: list[bytes] = []
    real = gateway.front.request.read

    def reading(route: Any, body: bytes) -> Any:
        bodies.append(body)
        return real(route, body)

    monkeypatch.setattr(gateway.front.request, "read", reading)
    async with two_versions(tmp_path, numbered(1), numbered(2)) as rig:
        wire = rig.front.wire()
        wire.send(post(path=b"/v1/models/later:predict"))
        assert (await wire.answer()).code == 404
        (tmp_path / "later" / "1").mkdir(parents=True)
        rig.client.gateway.backend._contents["later"] = FakeSignature()  # type: ignore[attr-defined]
        live = rig.client.gateway
        tables = {name: {"base_path": str(tmp_path / name)} for name in ("m", "later")}
        changed = live.settings.model_dump() | {"models": tables}
        await live.apply(Settings.model_validate(changed))
        await until(lambda: live.registry.models["later"].latest is not None)
        wire.send(post(path=b"/v1/models/later:predict"))
        assert (await wire.answer()).body == ANSWER
        assert (len(bodies), rig.front.relayed) == (1, 0)
