"""What is told about a request's time and about the whole server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from gateway.errors import Code, ServingError
from gateway.metrics import ServableLabels
from tests.gateway.fake_backend import Content, FakeSignature
from tests.gateway.serving import Client, serving_fakes, until

BODY = {"instances": [1, 2]}
NUMBER = r"(\d+\.\d{3})"
TIMING = re.compile(
    rf'queue;dur={NUMBER}, batch_wait;dur={NUMBER}, run;dur={NUMBER}, batch_rows;desc="(\d+)"'
)


@pytest.fixture
def fake() -> FakeSignature:
    return FakeSignature()


@pytest.fixture
async def client(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Client]:
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        yield client


@pytest.mark.parametrize("name", ["X-Server-Timing", "Server-Timing"])
async def test_timing_on_request(client: Client, name: str) -> None:
    answer = await client.predict("m", BODY, headers={name: "1"})
    found = TIMING.fullmatch(answer.headers["Server-Timing"])
    assert found
    assert found[4] == "2"
    for value in ("0", "false", ""):
        answer = await client.predict("m", BODY, headers={name: value})
        assert "Server-Timing" not in answer.headers
    assert "Server-Timing" not in (await client.predict("m", BODY)).headers


async def test_timing_by_setting(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}, server_timing=True) as client:
        answer = await client.predict("m", BODY)
        assert TIMING.fullmatch(answer.headers["Server-Timing"])


async def test_timing_tells_where_the_time_went(client: Client, fake: FakeSignature) -> None:
    fake.valve.shut()
    headers = {"X-Server-Timing": "1"}
    running = asyncio.create_task(client.predict("m", BODY, headers=headers))
    await until(lambda: len(fake.batches) == 1)
    waiting = asyncio.create_task(client.predict("m", BODY, headers=headers))
    await until(lambda: client.waiting_rows("m") == 2)
    asyncio.get_running_loop().call_later(0.05, fake.valve.open)
    ran, waited = [
        TIMING.fullmatch((await task).headers["Server-Timing"]) for task in (running, waiting)
    ]
    assert ran
    assert waited
    assert float(ran[3]) >= 50 > float(ran[1])
    assert float(waited[1]) >= 50 > float(waited[3])


async def families(client: Client) -> dict[str, Metric]:
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


async def test_metrics_before_any_request(client: Client) -> None:
    found = await families(client)
    assert "tensorgate_device_busy_seconds" in found


async def test_metrics(client: Client) -> None:
    for _ in range(3):
        await client.predict("m", BODY)
    await client.predict("m", {"instances": ["bad"]})
    await client.predict("unknown", BODY)
    await client.get("/v1/models/m")

    names = (
        "tensorgate_requests", "tensorgate_request_duration_seconds",
        "tensorgate_queue_wait_seconds", "tensorgate_batch_run_seconds", "tensorgate_batch_rows",
        "tensorgate_batch_padding_ratio", "tensorgate_queue_rows", "tensorgate_batches_released",
        "tensorgate_requests_dropped", "tensorgate_batch_reruns", "tensorgate_device_busy_seconds",
    )  # fmt: skip
    found = await families(client)
    assert set(names) <= set(found)
    assert all(found[name].documentation for name in names)

    predict = {"model": "m", "api": "predict"}
    assert await client.metric("tensorgate_requests_total", code="200", **predict) == 3
    assert await client.metric("tensorgate_requests_total", code="400", **predict) == 1
    assert await client.metric("tensorgate_requests_total", code="404", model="") == 1
    assert await client.metric("tensorgate_requests_total", api="status") == 1
    assert await client.metric("tensorgate_request_duration_seconds_count", **predict) == 4

    servable = {"model": "m", "version": "1", "signature": "serving_default"}
    assert await client.metric("tensorgate_queue_wait_seconds_count", **servable) == 3
    assert await client.metric("tensorgate_batch_rows_count", **servable) == 3
    assert await client.metric("tensorgate_batch_rows_sum", **servable) == 6
    assert await client.metric("tensorgate_batch_rows_bucket", le="1", **servable) == 0
    assert await client.metric("tensorgate_batch_rows_bucket", le="2", **servable) == 3
    released = "tensorgate_batches_released_total"
    assert await client.metric(released, reason="idle", **servable) == 3
    assert await client.metric(released, reason="full", **servable) == 0
    assert await client.metric("tensorgate_batch_run_seconds_sum", **servable) > 0
    assert await client.metric("tensorgate_device_busy_seconds_total", device="cpu:0") > 0


async def test_full_batches_are_told_apart(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}, max_batch_size=2) as client:
        await client.predict("m", {"instances": [1, 2, 3, 4]})
        assert await client.metric("tensorgate_batches_released_total", reason="full") == 2


async def test_strangers_cannot_add_labels(client: Client) -> None:
    for number in range(20):
        await client.predict(f"model-{number}", BODY)
        await client.predict("m", {"signature_name": f"s{number}", **BODY})
    labels = {
        sample.labels["model"]
        for family in (await families(client)).values()
        for sample in family.samples
        if "model" in sample.labels
    }
    assert labels == {"m", ""}


async def test_states_of_versions(tmp_path: Path) -> None:
    damaged = ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged")
    contents: dict[str, Content] = {"m/2": damaged, "m/1": FakeSignature()}
    async with serving_fakes(tmp_path, contents) as client:
        name = "tensorgate_model_version_state"
        assert await client.metric(name, model="m", version="1", state="AVAILABLE") == 1
        assert await client.metric(name, model="m", version="2", state="END") == 1
        assert await client.metric(name) == 2


async def test_batchers_of_an_unloaded_version_are_forgotten(client: Client) -> None:
    await client.predict("m", BODY)
    servable = client.gateway.registry.models["m"].latest
    assert servable is not None
    for queue in servable.queues.values():
        client.gateway.metrics.remove_batcher(queue.batcher)
    found = await families(client)
    assert not found["tensorgate_batch_rows"].samples
    assert not found["tensorgate_queue_rows"].samples
    assert found["tensorgate_requests"].samples


async def test_a_newer_copy_of_a_version_takes_the_place_of_the_old(client: Client) -> None:
    await client.predict("m", BODY)
    metrics = client.gateway.metrics
    old = client.gateway.registry.models["m"].latest
    assert old is not None
    batcher = old.queues["serving_default"].batcher
    metrics.add_batcher(ServableLabels("m", "1", "serving_default"))
    assert await client.metric("tensorgate_batch_rows_count", model="m") == 0
    metrics.remove_batcher(batcher)
    (count,) = [
        sample.value
        for sample in (await families(client))["tensorgate_batch_rows"].samples
        if sample.name.endswith("_count")
    ]
    assert count == 0


async def test_numbers_that_other_parts_keep(client: Client) -> None:
    numbers = {("m", "same"): 3}
    labels = ("model", "result")
    client.gateway.metrics.expose_counter("shadowed", "Copies.", labels, lambda: numbers)
    assert await client.metric("tensorgate_shadowed_total", model="m", result="same") == 3
    numbers["m", "same"] = 4
    assert await client.metric("tensorgate_shadowed_total", model="m", result="same") == 4
