"""Deadlines and cancellation: what nobody waits for leaves the queue at once and never runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from batching import DevicePool
from batching.testing import ScriptedExecutor, settle
from gateway.app import Gateway
from gateway.codecs.predict_proto import unknown_signature
from gateway.config.settings import Settings
from gateway.errors import Code, ServingError
from gateway.inference import Inferred, Question
from tests.gateway.fake_backend import FakeBackend, FakeSignature
from tests.gateway.serving import folders, until
from tests.grpc.serving import GrpcClient, predict_request, serving_grpc


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def busy(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[GrpcClient]:
    """Its device is at a run that does not end."""
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        first = asyncio.create_task(client.predict("m", 0))
        await until(lambda: len(fake.batches) == 1)
        yield client
        fake.valve.open()
        assert await first == [0]


def waiting(client: GrpcClient) -> int:
    return client.rest.waiting_rows("m")


async def test_a_cancelled_call_leaves_the_queue(busy: GrpcClient, fake: FakeSignature) -> None:
    fastest = 1.0
    for _ in range(5):
        call = busy.call("Predict", predict_request("m", x=np.float32([7])))
        await until(lambda: waiting(busy) == 1)
        began = time.monotonic()
        call.cancel()
        while waiting(busy):
            await asyncio.sleep(0)
        fastest = min(fastest, time.monotonic() - began)
    assert fastest < 0.01
    later = asyncio.create_task(busy.predict("m", 8))
    await until(lambda: waiting(busy) == 1)
    fake.valve.open()
    assert await later == [16]
    assert [batch["x"].tolist() for batch in fake.batches] == [[0], [8]]
    await until(lambda: busy.gateway.in_flight == 0)
    labels = {"api": "Predict", "model": "m"}
    assert await busy.rest.metric("tensorgate_requests_total", **labels, code="CANCELLED") == 5


async def test_a_deadline_while_the_device_is_busy(busy: GrpcClient, fake: FakeSignature) -> None:
    fastest = 1.0
    for _ in range(3):
        began = time.monotonic()
        request = predict_request("m", x=np.float32([7]))
        code, _ = await busy.refused("Predict", request, timeout=0.2)
        assert code == "DEADLINE_EXCEEDED"
        await until(lambda: waiting(busy) == 0)
        fastest = min(fastest, time.monotonic() - began)
    assert 0.19 < fastest < 0.22
    await until(lambda: busy.gateway.in_flight == 1)
    labels = {"api": "Predict", "model": "m", "code": "DEADLINE_EXCEEDED"}
    assert await busy.rest.metric("tensorgate_requests_total", **labels) == 3
    fake.valve.open()
    assert [batch["x"].tolist() for batch in fake.batches] == [[0]]


async def test_a_deadline_that_has_passed(busy: GrpcClient) -> None:
    code, _ = await busy.refused("Predict", predict_request("m", x=np.float32([7])), timeout=0)
    assert code == "DEADLINE_EXCEEDED"
    assert waiting(busy) == 0


@pytest.fixture
async def gateway(tmp_path: Path, executor: ScriptedExecutor) -> AsyncIterator[Gateway]:
    """Its device does what the test says."""
    root = folders(tmp_path, "m/1")
    models = {"m": {"base_path": str(root / "m"), "batching": "on"}}
    settings = Settings.model_validate(
        {"models": models, "warmup": False, "file_system_poll_wait_seconds": 0.01}
    )
    gateway = Gateway(settings, FakeBackend({"m": FakeSignature()}), DevicePool([executor]))
    await gateway.manager.load_all()
    yield gateway
    gateway.close()


@pytest.fixture
def executor() -> ScriptedExecutor:
    return ScriptedExecutor("cpu:0")


def question(x: float, **more: float) -> Question:
    return Question(
        api="Predict",
        kind="predict",
        name="m",
        unknown_signature=unknown_signature,
        decode=lambda queue: {"x": np.float32([x])},
        encode=lambda inferred: inferred.outputs["y"].tobytes(),
        started=time.monotonic(),
        **more,  # type: ignore[arg-type]
    )


async def started(gateway: Gateway, asked: Question) -> asyncio.Task[Inferred]:
    """Its run has begun."""
    task = asyncio.create_task(gateway.inference.infer(asked))
    await settle()
    assert waiting_rows(gateway) == 0
    return task


def waiting_rows(gateway: Gateway) -> int:
    latest = gateway.registry.models["m"].latest
    assert latest is not None
    return latest.queues["serving_default"].batcher.statistics().waiting_rows


async def test_cancelling_the_task_takes_the_rows_out_in_the_same_turn(
    gateway: Gateway, executor: ScriptedExecutor
) -> None:
    running = await started(gateway, question(1))
    waits = asyncio.create_task(gateway.inference.infer(question(2)))
    await settle()
    assert (len(executor.running), waiting_rows(gateway)) == (1, 1)
    waits.cancel()
    await settle(1)
    assert waiting_rows(gateway) == 0
    executor.finish()
    assert (await running).answer == np.float32(2).tobytes()
    assert waits.cancelled()
    assert not executor.running


async def test_the_queue_time_out_is_prompt_and_spares_what_runs(
    gateway: Gateway, executor: ScriptedExecutor
) -> None:
    running = await started(gateway, question(1, queue_timeout=0.01))
    began = time.monotonic()
    with pytest.raises(ServingError, match="Request timeout expired") as caught:
        await gateway.inference.infer(question(2, queue_timeout=0.02))
    assert 0.018 <= time.monotonic() - began < 0.2
    assert caught.value.code is Code.UNAVAILABLE
    assert waiting_rows(gateway) == 0
    executor.finish()
    assert (await running).item.rows == 1


async def test_cancelling_before_the_queue_time_out_is_no_time_out(
    gateway: Gateway, executor: ScriptedExecutor
) -> None:
    first = await started(gateway, question(1))
    waits = asyncio.create_task(gateway.inference.infer(question(2, queue_timeout=9.0)))
    await settle()
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    executor.finish()
    await first


async def test_leases_are_given_back(gateway: Gateway, executor: ScriptedExecutor) -> None:
    first = await started(gateway, question(1))
    given_up = asyncio.create_task(gateway.inference.infer(question(2)))
    await settle()
    given_up.cancel()
    await settle()
    executor.finish()
    await first
    assert ", 0 leases" in repr(gateway.registry.models["m"].latest)


async def test_a_client_that_is_gone(tmp_path: Path, fake: FakeSignature) -> None:
    """The connection breaks, not the call."""
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        first = asyncio.create_task(client.predict("m", 0))
        await until(lambda: len(fake.batches) == 1)
        gone = grpc.aio.insecure_channel(f"127.0.0.1:{client.port}", [("grpc.x", 1)])
        other = GrpcClient(client.rest, gone, client.server, client.port)
        lost = asyncio.create_task(other.predict("m", 7))
        await until(lambda: waiting(client) == 1)
        await gone.close()
        await until(lambda: waiting(client) == 0)
        fake.valve.open()
        await first
        assert lost.cancelled() or lost.exception() is not None
        assert fake.sizes == [1]
