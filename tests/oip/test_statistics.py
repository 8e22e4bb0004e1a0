"""Triton's statistics: exact after each request, through whichever door it came."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np

from batching import BatchDone, DropReason, ItemDropped
from gateway.errors import invalid_argument
from gateway.oip.statistics import MAX_BATCH_SIZES, Statistics, VersionStatistics
from tests.gateway.fake_backend import FakeSignature, double
from tests.gateway.serving import Client, until
from tests.oip.models import identity, infer, json_input, serving_oip


def body(*values: float) -> dict[str, Any]:
    return {"inputs": [json_input("x", np.array(values, np.float32), "FP32")]}


async def statistics(client: Client, model: str = "m") -> dict[str, Any]:
    [found] = (await client.get(f"/v2/models/{model}/stats")).json["model_stats"]
    return dict(found)


async def test_requests_of_both_protocols(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}) as client:
        before = time.time_ns() // 1_000_000
        fake.valve.shut()
        asked = [asyncio.create_task(infer(client, "m", body(0)))]
        await until(lambda: len(fake.batches) == 1)
        asked.append(asyncio.create_task(infer(client, "m", body(1, 2))))
        asked.append(asyncio.create_task(client.predict("m", {"instances": [3.0]})))
        await until(lambda: client.waiting_rows("m") == 3)
        fake.valve.open()
        await asyncio.gather(*asked)
        found = await statistics(client)
        assert (found["inference_count"], found["execution_count"]) == (4, 2)
        assert before <= found["last_inference"] <= time.time_ns() // 1_000_000
        counts = {key: value["count"] for key, value in found["inference_stats"].items()}
        assert counts == {
            "success": 3,
            "fail": 0,
            "queue": 3,
            "compute_input": 3,
            "compute_infer": 3,
            "compute_output": 3,
            "cache_hit": 0,
            "cache_miss": 0,
        }
        ns = {key: value["ns"] for key, value in found["inference_stats"].items()}
        parts = ns["queue"] + ns["compute_input"] + ns["compute_infer"] + ns["compute_output"]
        assert abs(ns["success"] - parts) <= 4
        assert ns["compute_infer"] > 0
        assert [
            (one["batch_size"], one["compute_infer"]["count"]) for one in found["batch_stats"]
        ] == [
            (1, 1),
            (3, 1),
        ]


async def test_failures(tmp_path: Path) -> None:
    """Of the model and of the queue; not of requests that do not fit."""
    fake = FakeSignature(double)
    async with serving_oip(tmp_path, {"m": fake}) as client:
        assert (await infer(client, "m", body(-1))).status == 400
        assert (await infer(client, "m", {"inputs": []})).status == 400
        fake.valve.shut()
        busy = asyncio.create_task(infer(client, "m", body(0)))
        await until(lambda: len(fake.batches) == 2)
        late = {**body(1), "parameters": {"timeout": 1000}}
        assert (await infer(client, "m", late)).status == 503
        fake.valve.open()
        await busy
        stats = (await statistics(client))["inference_stats"]
        assert (stats["fail"]["count"], stats["success"]["count"]) == (2, 1)
        assert stats["fail"]["ns"] >= 1_000_000


async def test_a_split_request_is_one(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": identity("FP32")}, max_batch_size=4) as client:
        await infer(client, "m", body(*range(10)))
        found = await statistics(client)
        assert (found["inference_count"], found["execution_count"]) == (10, 3)
        assert found["inference_stats"]["success"]["count"] == 1
        assert [one["batch_size"] for one in found["batch_stats"]] == [2, 4]


async def test_versions_have_their_own(tmp_path: Path) -> None:
    contents = {"m/1": identity("FP32"), "m/2": identity("FP32"), "n": identity("FP32")}
    models = {"m": {"model_version_policy": "all"}}
    async with serving_oip(tmp_path, contents, models=models) as client:
        await infer(client, "m/versions/1", body(1))

        async def counts(path: str) -> dict[tuple[str, str], int]:
            found = (await client.get(f"/v2/models/{path}stats")).json["model_stats"]
            return {(one["name"], one["version"]): one["inference_count"] for one in found}

        assert await counts("") == {("m", "1"): 1, ("m", "2"): 0, ("n", "1"): 0}
        assert await counts("m/") == {("m", "1"): 1, ("m", "2"): 0}
        assert await counts("m/versions/2/") == {("m", "2"): 0}
        answer = await client.get("/v2/models/m/versions/3/stats")
        assert (answer.status, answer.error) == (
            400,
            "requested model 'm' version 3 is not available",
        )


def test_what_is_gone_is_forgotten() -> None:
    statistics = Statistics()
    first = statistics.of("m", "1")
    statistics.keep({("m", "1"): None})
    assert statistics.of("m", "1") is first
    statistics.keep({})
    assert statistics.of("m", "1") is not first


def done(rows: int, items: int = 1, failed: int = 0) -> BatchDone:
    return BatchDone("cpu:0", rows, rows, items, [0.5] * items, 0.25, 1.0, 0.0, 0, failed)


def test_sizes_that_clients_choose_are_bounded() -> None:
    statistics = VersionStatistics()
    for size in range(1, MAX_BATCH_SIZES + 10):
        statistics(done(size))
    found = statistics.as_json("m", "1")
    assert len(found["batch_stats"]) == MAX_BATCH_SIZES
    assert found["execution_count"] == MAX_BATCH_SIZES + 9


def test_times_add_up() -> None:
    statistics = VersionStatistics()
    statistics(done(4, items=4, failed=1))
    statistics(ItemDropped(DropReason.EXPIRED, 1, 2.0))
    statistics.answered(0.125)
    stats = statistics.as_json("m", "1")["inference_stats"]
    assert stats["queue"] == {"count": 3, "ns": 1_500_000_000}
    assert stats["compute_input"] == {"count": 3, "ns": 750_000_000}
    assert stats["compute_infer"] == {"count": 3, "ns": 3_000_000_000}
    assert stats["compute_output"] == {"count": 3, "ns": 125_000_000}
    assert stats["success"] == {"count": 3, "ns": 5_375_000_000}
    assert stats["fail"] == {"count": 2, "ns": 3_750_000_000}


def test_a_batch_that_nobody_waited_for() -> None:
    statistics = VersionStatistics()
    statistics(done(0, items=0))
    assert statistics.as_json("m", "1")["execution_count"] == 0


async def test_a_model_that_refuses_is_a_failure(tmp_path: Path) -> None:
    def refuse(inputs: Any) -> Any:
        raise invalid_argument("no")

    async with serving_oip(tmp_path, {"m": FakeSignature(refuse)}) as client:
        assert (await infer(client, "m", body(1))).status == 400
        found = await statistics(client)
        assert found["inference_count"] == 0
        assert found["inference_stats"]["fail"]["count"] == 1
