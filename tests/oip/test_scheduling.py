"""Time-outs, deadlines, cancellation, and batches that requests of several doors share."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import Answer, Client, until
from tests.oip.models import HEAD_LENGTH, add_sub, identity, infer, json_input, serving_oip


def body(value: float, **parameters: Any) -> dict[str, Any]:
    one = json_input("x", np.array([value], np.float32), "FP32")
    return {"inputs": [one], "parameters": parameters}


async def occupy(client: Client, fake: FakeSignature) -> asyncio.Task[Answer]:
    """Keep the device busy with one request until the valve is opened."""
    fake.valve.shut()
    runs = len(fake.batches)
    task = asyncio.create_task(infer(client, "m", body(0)))
    await until(lambda: len(fake.batches) > runs)
    return task


async def test_a_timeout_is_prompt_while_the_device_is_busy(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}) as client:
        busy = await occupy(client, fake)
        started = time.monotonic()
        answer = await infer(client, "m", body(1, timeout=200_000))
        took = time.monotonic() - started
        assert answer.status == 503
        assert answer.error == "[request id: <id_unknown>] Request timeout expired"
        # Triton looks every 500 ms. The bound leaves room for a busy host.
        assert 0.19 <= took < 0.45
        assert client.waiting_rows("m") == 0
        fake.valve.open()
        assert (await busy).status == 200
        assert fake.sizes == [1]


async def test_a_timeout_that_is_long_enough(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}) as client:
        answer = await infer(client, "m", body(1, timeout=10_000_000, priority=3))
        assert answer.status == 200
        assert (await infer(client, "m", body(1, timeout=0, priority=0))).status == 200


async def test_the_servers_own_deadline(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}, rest_api_timeout_in_ms=100) as client:
        busy = await occupy(client, fake)
        assert (await infer(client, "m", body(1))).status == 504
        fake.valve.open()
        assert (await busy).status == 504


async def test_a_full_queue(tmp_path: Path) -> None:
    fake = identity("FP32")
    limits = {"max_queue_rows": 2, "max_batch_size": 2}
    async with serving_oip(tmp_path, {"m": fake}, **limits) as client:
        busy = await occupy(client, fake)
        waiting = [asyncio.create_task(infer(client, "m", body(n))) for n in range(2)]
        await until(lambda: client.waiting_rows("m") == 2)
        answer = await infer(client, "m", body(5))
        assert answer.status == 503
        assert "Exceeds maximum queue size" in answer.error
        assert int(answer.headers["Retry-After"]) >= 1
        fake.valve.open()
        assert [(await one).status for one in (busy, *waiting)] == [200] * 3


async def test_a_client_that_is_gone_leaves_the_queue(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}) as client:
        busy = await occupy(client, fake)
        gone = asyncio.create_task(infer(client, "m", body(1)))
        await until(lambda: client.waiting_rows("m") == 1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await until(lambda: client.waiting_rows("m") == 0)
        fake.valve.open()
        assert (await busy).status == 200
        assert fake.sizes == [1]


async def test_rest_v1_and_v2_share_a_batch(tmp_path: Path) -> None:
    """Also JSON, binary and raw bodies of v2."""
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}) as client:
        busy = await occupy(client, fake)
        raw = np.array([3], np.float32).tobytes()
        asked: list[Awaitable[Answer]] = [
            client.predict("m", {"instances": [1.0]}),
            infer(client, "m", body(2.0)),
            infer(client, "m", raw, {HEAD_LENGTH: "0"}),
            client.predict("m", {"inputs": {"x": [4.0, 5.0]}}),
        ]
        tasks = [asyncio.ensure_future(one) for one in asked]
        await until(lambda: client.waiting_rows("m") == 5)
        fake.valve.open()
        v1, v2, binary, columns = await asyncio.gather(*tasks)
        assert (await busy).status == 200
        assert fake.sizes == [1, 5]
        assert sorted(fake.batches[1]["x"].tolist()) == [1, 2, 3, 4, 5]
        assert v1.json == {"predictions": [1.0]}
        assert v2.json["outputs"][0]["data"] == [2.0]
        assert binary.body.endswith(raw)
        assert columns.json == {"outputs": [4.0, 5.0]}


async def test_requests_for_different_outputs_share_a_batch(tmp_path: Path) -> None:
    fake = add_sub(size=1)
    async with serving_oip(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        inputs = [json_input(name, np.ones((1, 1), np.int32), "INT32") for name in "ab"]
        bodies = [
            {"inputs": inputs, "outputs": [{"name": name} for name in names]}
            for names in (["sum"], ["sum"], ["difference"], ["difference", "sum"])
        ]
        first = asyncio.create_task(infer(client, "m", bodies[0]))
        await until(lambda: len(fake.batches) == 1)
        others = [asyncio.create_task(infer(client, "m", one)) for one in bodies[1:]]
        await until(lambda: client.waiting_rows("m") == 3)
        fake.valve.open()
        answers = [await one for one in (first, *others)]
        assert fake.sizes == [1, 3]
        assert [[o["data"] for o in a.json["outputs"]] for a in answers] == [
            [[2]],
            [[2]],
            [[0]],
            [[0], [2]],
        ]


async def test_others_are_answered_while_a_million_inputs_are_refused(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": identity("FP32")}) as client:
        one = b'{"name":"x","datatype":"FP32","shape":[1],"data":[1]}'
        mass = gzip.compress(b'{"inputs":[' + b",".join([one] * 1_000_000) + b"]}", 1)
        refused = asyncio.create_task(infer(client, "m", mass, {"Content-Encoding": "gzip"}))
        served = 0
        while not refused.done():
            served += (await client.get("/v2/health/live")).status == 200
        answer = await refused
        assert (answer.status, "more than 1024 inputs" in answer.error) == (400, True)
        assert served > 3


LEVELS = {"priority_levels": 3, "default_priority_level": 2, "max_batch_size": 1}


async def test_higher_levels_go_first(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}, models={"m": LEVELS}) as client:
        busy = await occupy(client, fake)
        asked = [body(1, priority=3), body(2), body(3, priority=1), body(4, priority=9)]
        tasks = []
        for one in asked:
            tasks.append(asyncio.create_task(infer(client, "m", one)))
            await until(lambda: client.waiting_rows("m") == len(tasks))
        fake.valve.open()
        assert [(await task).status for task in (busy, *tasks)] == [200] * 5
        assert [float(batch["x"][0]) for batch in fake.batches] == [0, 3, 2, 4, 1]


async def test_a_level_s_timeout_rejects_promptly(tmp_path: Path) -> None:
    fake = identity("FP32")
    rules = {**LEVELS, "priority_queue_policies": {"1": {"timeout_us": 50_000}}}
    async with serving_oip(tmp_path, {"m": fake}, models={"m": rules}) as client:
        busy = await occupy(client, fake)
        slow = asyncio.create_task(infer(client, "m", body(1, priority=2)))
        answer = await infer(client, "m", body(1, priority=1))
        assert (answer.status, answer.error) == (
            503,
            "[request id: <id_unknown>] Request timeout expired",
        )
        fake.valve.open()
        assert [(await task).status for task in (busy, slow)] == [200, 200]


async def test_a_timeout_delays_where_the_model_says_so(tmp_path: Path) -> None:
    fake = identity("FP32")
    rules = {"queue_timeout_us": 1000, "queue_timeout_action": "delay", "max_batch_size": 1}
    async with serving_oip(tmp_path, {"m": fake}, models={"m": rules}) as client:
        busy = await occupy(client, fake)
        late = asyncio.create_task(infer(client, "m", body(1)))
        await asyncio.sleep(0.05)
        fresh = asyncio.create_task(infer(client, "m", body(2)))
        await until(lambda: client.waiting_rows("m") == 2)
        fake.valve.open()
        assert [(await task).status for task in (busy, late, fresh)] == [200] * 3
        assert sorted(float(batch["x"][0]) for batch in fake.batches) == [0, 1, 2]


async def test_a_model_may_not_let_requests_ask_for_a_timeout(tmp_path: Path) -> None:
    fake = identity("FP32")
    rules = {"allow_timeout_override": False}
    async with serving_oip(tmp_path, {"m": fake}, models={"m": rules}) as client:
        busy = await occupy(client, fake)
        task = asyncio.create_task(infer(client, "m", body(1, timeout=1000)))
        await until(lambda: client.waiting_rows("m") == 1)
        await asyncio.sleep(0.05)
        fake.valve.open()
        assert [(await one).status for one in (busy, task)] == [200, 200]


async def test_a_level_is_full(tmp_path: Path) -> None:
    fake = identity("FP32")
    async with serving_oip(tmp_path, {"m": fake}, models={"m": {"max_queue_size": 1}}) as client:
        busy = await occupy(client, fake)
        waiting = asyncio.create_task(infer(client, "m", body(1)))
        await until(lambda: client.waiting_rows("m") == 1)
        answer = await infer(client, "m", body(2))
        assert answer.status == 503
        assert "Exceeds maximum queue size" in answer.error
        fake.valve.open()
        assert [(await one).status for one in (busy, waiting)] == [200, 200]
