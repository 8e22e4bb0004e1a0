"""Those who look on at requests, and the lease that a request holds on its version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.errors import Code
from gateway.exchange import Exchange
from gateway.http import call
from tests.gateway.example_models import regressor
from tests.gateway.fake_backend import Content, FakeSignature
from tests.gateway.serving import Client, serving_fakes, until

BODY = b'{"instances":[1,2]}'


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def client(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Client]:
    contents: dict[str, Content] = {"m": fake, "r": regressor()}
    async with serving_fakes(tmp_path, contents) as client:
        yield client


@pytest.fixture
def seen(client: Client) -> list[Exchange]:
    exchanges: list[Exchange] = []
    client.gateway.observers.append(exchanges.append)
    return exchanges


async def test_an_answered_request(client: Client, seen: list[Exchange]) -> None:
    answer = await client.predict("m", BODY)
    (exchange,) = seen
    assert (exchange.api, exchange.pinned, exchange.error) == ("predict", False, None)
    assert (exchange.servable.name, exchange.servable.version) == ("m", 1)
    assert exchange.signature.name == "serving_default"
    np.testing.assert_array_equal(exchange.inputs["x"], [1, 2])
    assert exchange.outputs is not None
    np.testing.assert_array_equal(exchange.outputs["y"], [2, 4])
    assert (exchange.request_body, exchange.response_body) == (BODY, answer.body)
    assert 0 < exchange.seconds < 20


async def test_every_call_is_seen(client: Client, seen: list[Exchange]) -> None:
    body = json.dumps({"examples": [{"x": 1.5}]})
    await client.ask("POST", "/v1/models/r:regress", data=body)
    await client.predict("m/versions/1", BODY)
    assert [(e.api, e.pinned) for e in seen] == [("regress", False), ("predict", True)]


async def test_a_request_that_the_model_refuses(client: Client, seen: list[Exchange]) -> None:
    answer = await client.predict("m", {"instances": [-1]})
    (exchange,) = seen
    assert exchange.error is not None
    assert (exchange.error.code, exchange.error.message) == (Code.INVALID_ARGUMENT, answer.error)
    assert (exchange.outputs, exchange.response_body) == (None, b"")


async def test_an_answer_that_cannot_be_written(
    client: Client, fake: FakeSignature, seen: list[Exchange]
) -> None:
    fake.function = lambda inputs: {"y": np.zeros(len(inputs["x"]), np.complex64)}
    assert (await client.predict("m", BODY)).status == 400
    assert [e.error.code for e in seen if e.error] == [Code.INVALID_ARGUMENT]


@pytest.mark.parametrize(
    "body", [b"{", b'{"instances":["text"]}', b'{"signature_name":"s","instances":[1]}']
)
async def test_what_is_refused_before_it_is_decoded_is_not_seen(
    client: Client, seen: list[Exchange], body: bytes
) -> None:
    assert (await client.predict("m", body)).status == 400
    assert not seen


async def test_what_its_client_gave_up_is_not_seen(
    client: Client, fake: FakeSignature, seen: list[Exchange]
) -> None:
    fake.valve.shut()
    running = asyncio.create_task(client.predict("m", BODY))
    await until(lambda: len(fake.batches) == 1)
    running.cancel()
    await until(lambda: not client.gateway.router.in_flight)
    fake.valve.open()
    assert (await client.predict("m", BODY)).status == 200
    assert len(seen) == 1


async def test_a_broken_observer_costs_nobody_an_answer(
    client: Client, seen: list[Exchange]
) -> None:
    def broken(exchange: Exchange) -> None:
        raise RuntimeError(exchange.api)

    client.gateway.observers.insert(0, broken)
    assert (await client.predict("m", BODY)).json == {"predictions": [2.0, 4.0]}
    assert len(seen) == 1


async def test_nothing_is_made_for_nobody(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: Any) -> Exchange:
        raise AssertionError("nobody looks on")

    monkeypatch.setattr(call, "Exchange", refuse)
    assert (await client.predict("m", BODY)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"{",
        b'{"instances":["text"]}',
        b'{"signature_name":"s","instances":[1]}',
        b'{"instances":[-1]}',
    ],
)
async def test_a_lease_ends_with_its_request(client: Client, body: bytes) -> None:
    servable = client.gateway.registry.models["m"].latest
    assert servable is not None
    await client.predict("m", body)
    async with asyncio.timeout(5):
        await servable.retire()


async def test_a_version_waits_for_its_requests(client: Client, fake: FakeSignature) -> None:
    servable = client.gateway.registry.models["m"].latest
    assert servable is not None
    fake.valve.shut()
    running = asyncio.create_task(client.predict("m", BODY))
    await until(lambda: len(fake.batches) == 1)
    retiring = asyncio.create_task(servable.retire())
    await client.get("/livez")
    assert not retiring.done()
    fake.valve.open()
    assert (await running).json == {"predictions": [2.0, 4.0]}
    await retiring


async def test_a_lease_ends_with_a_client_that_left(client: Client, fake: FakeSignature) -> None:
    servable = client.gateway.registry.models["m"].latest
    assert servable is not None
    fake.valve.shut()
    running = asyncio.create_task(client.predict("m", BODY))
    await until(lambda: len(fake.batches) == 1)
    running.cancel()
    await until(lambda: not client.gateway.router.in_flight)
    fake.valve.open()
    async with asyncio.timeout(5):
        await servable.retire()
