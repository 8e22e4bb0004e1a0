"""Clients that go away, and requests that wait too long or do not fit the queue."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.fake_backend import FakeSignature
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import Answer, Client, serving_fakes, until


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def client(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Client]:
    contents = {"m": fake}
    async with serving_fakes(tmp_path, contents, max_batch_size=2, max_queue_rows=3) as client:
        yield client


def ask(client: Client, value: float) -> asyncio.Task[Answer]:
    return asyncio.create_task(client.predict("m", {"instances": [value]}))


async def start(client: Client, fake: FakeSignature) -> asyncio.Task[Answer]:
    """A request that runs until the valve opens."""
    fake.valve.shut()
    running = ask(client, 0)
    await until(lambda: len(fake.batches) == 1)
    return running


async def send(client: Client, value: float) -> asyncio.StreamWriter:
    """A request on a connection of its own."""
    body = json.dumps({"instances": [value]}).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = f"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    return writer


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_client_that_leaves_the_queue_never_runs(
    client: Client, fake: FakeSignature, abruptly: bool
) -> None:
    running = await start(client, fake)
    gone = await send(client, 77)
    stays = ask(client, 1)
    await until(lambda: client.waiting_rows("m") == 2)
    assert await client.metric("tensorgate_queue_rows", model="m") == 2
    if abruptly:
        gone.transport.abort()
    else:
        gone.close()
    await until(lambda: client.waiting_rows("m") == 1)
    fake.valve.open()
    assert (await running).json == {"predictions": [0.0]}
    assert (await stays).json == {"predictions": [2.0]}
    assert [batch["x"].tolist() for batch in fake.batches] == [[0], [1]]
    assert await client.metric("tensorgate_queue_rows", model="m") == 0
    labels = {"model": "m", "reason": "cancelled"}
    assert await client.metric("tensorgate_requests_dropped_total", **labels) == 1


async def test_a_client_that_leaves_while_its_batch_runs_hurts_nobody(
    client: Client, fake: FakeSignature
) -> None:
    running = await start(client, fake)
    gone, stays = await send(client, 5), ask(client, 6)
    await until(lambda: client.waiting_rows("m") == 2)
    fake.valve.let_through(1)
    await running
    await until(lambda: len(fake.batches) == 2)
    gone.transport.abort()
    router = client.gateway.router
    await until(lambda: router.in_flight == 1)
    fake.valve.open()
    assert (await stays).json == {"predictions": [12.0]}
    assert sorted(fake.batches[1]["x"].tolist()) == [5, 6]
    assert (await ask(client, 1)).json == {"predictions": [2.0]}


async def test_a_full_queue_refuses_and_recovers(client: Client, fake: FakeSignature) -> None:
    running = await start(client, fake)
    waiting = [ask(client, value) for value in (1, 2, 3)]
    await until(lambda: client.waiting_rows("m") == 3)
    refused = await ask(client, 4)
    assert refused.status == 503
    assert harmless_error(refused) == "3 rows wait already; at most 3 may"
    assert int(refused.headers["Retry-After"]) >= 1
    fake.valve.open()
    answers = await asyncio.gather(running, *waiting)
    assert [a.json["predictions"] for a in answers] == [[0.0], [2.0], [4.0], [6.0]]
    assert (await ask(client, 4)).json == {"predictions": [8.0]}
    labels = {"model": "m", "reason": "full"}
    assert await client.metric("tensorgate_requests_dropped_total", **labels) == 1


async def test_an_expected_wait_beyond_the_budget_is_refused(tmp_path: Path) -> None:
    fake = FakeSignature()
    settings: dict[str, Any] = {"max_batch_size": 1, "queue_budget_ms": 1.0}
    async with serving_fakes(tmp_path, {"m": fake}, **settings) as client:
        for _ in range(5):  # runs of 20 ms, from which the wait is predicted
            fake.valve.shut()
            running = ask(client, 1)
            asyncio.get_running_loop().call_later(0.02, fake.valve.open)
            await running
        fake.valve.shut()
        # The one that runs, one that may take the place behind it, and those that cannot.
        asked = [ask(client, value) for value in range(4)]
        await until(lambda: any(task.done() for task in asked))
        fake.valve.open()
        answers = await asyncio.gather(*asked)
        refused = [answer for answer in answers if answer.status == 503]
        assert refused
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


@pytest.mark.parametrize("place", ["running", "waiting"])
async def test_a_deadline_passes_promptly(tmp_path: Path, place: str) -> None:
    fake = FakeSignature()
    settings: dict[str, Any] = {"max_batch_size": 1, "rest_api_timeout_in_ms": 400}
    async with serving_fakes(tmp_path, {"m": fake}, **settings) as client:
        running = await start(client, fake)
        began = time.monotonic()
        late = running if place == "running" else ask(client, 1)
        answer = await late
        assert answer.status == 504
        assert harmless_error(answer).startswith("no answer within ")
        assert time.monotonic() - began < 2
        await running
        fake.valve.open()
        assert (await ask(client, 2)).json == {"predictions": [4.0]}
        # What had expired in the queue was not run.
        assert 1 not in [batch["x"][0] for batch in fake.batches]
