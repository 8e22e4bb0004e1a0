"""ModelInfer with Triton's clients."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as sync
import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from gateway.backends.base import Tensors
from gateway.exchange import Exchange
from tests.gateway.fake_backend import FakeSignature, by_name, spec
from tests.gateway.serving import until
from tests.oip_grpc.serving import given, serving_oip, x


def several(inputs: Tensors) -> dict[str, Any]:
    return {
        "total": inputs["a"] + inputs["b"].sum(axis=1).astype(np.float32),
        "tag": np.array([b"<" + s + b">" for s in inputs["s"]], object),
    }


def several_signature() -> FakeSignature:
    """a FP32 [-1], b INT64 [-1,2], s BYTES [-1] -> total FP32, tag BYTES."""
    return FakeSignature(
        several,
        by_name(spec("a"), spec("b", np.int64, 2), spec("s", object)),
        by_name(spec("total"), spec("tag", object)),
    )


def some_inputs() -> list[triton.InferInput]:
    return [
        given("a", np.array([0.5, 1.5], np.float32)),
        given("b", np.array([[1, 2], [3, 4]], np.int64)),
        given("s", np.array([b"one", b""], object)),
    ]


async def test_all_outputs(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m/3": several_signature()}) as door:
        result = await door.infer("m", *some_inputs(), request_id="mine")

    assert result.as_numpy("total").tolist() == [3.5, 8.5]
    assert result.as_numpy("tag").tolist() == [b"<one>", b"<>"]
    head = result.get_response()
    assert (head.model_name, head.model_version, head.id) == ("m", "3", "mine")


async def test_requested_outputs_come_in_their_order(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": several_signature()}) as door:
        wanted = [triton.InferRequestedOutput("tag"), triton.InferRequestedOutput("total")]
        both = await door.infer("m", *some_inputs(), outputs=wanted)
        one = await door.infer("m", *some_inputs(), outputs=wanted[:1])

    assert [output.name for output in both.get_response().outputs] == ["tag", "total"]
    assert [output.name for output in one.get_response().outputs] == ["tag"]


async def test_the_synchronous_client(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:

        def ask() -> Any:
            with sync.InferenceServerClient(door.address) as client:
                return client.infer("m", [x(1, 2)]).as_numpy("y").tolist()

        assert await asyncio.to_thread(ask) == [2, 4]


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
async def test_compressed_requests(tmp_path: Path, compression: str) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        result = await door.infer("m", x(1, 2), compression_algorithm=compression)

    assert result.as_numpy("y").tolist() == [2, 4]


async def test_versions(tmp_path: Path) -> None:
    def times(factor: float) -> FakeSignature:
        return FakeSignature(lambda inputs: {"y": inputs["x"] * np.float32(factor)})

    models = {"m": {"model_version_policy": "all"}}
    contents = {"m/1": times(10), "m/2": times(100)}
    async with serving_oip(tmp_path, contents, models=models) as door:
        first = await door.infer("m", x(1), model_version="1")
        newest = await door.infer("m", x(1))

    assert first.as_numpy("y").tolist() == [10]
    assert first.get_response().model_version == "1"
    assert newest.as_numpy("y").tolist() == [100]
    assert newest.get_response().model_version == "2"


async def test_classification(tmp_path: Path) -> None:
    scores = FakeSignature(
        lambda inputs: {"y": inputs["x"]},
        by_name(spec("x", np.float32, 3)),
        by_name(spec("y", np.float32, 3)),
    )
    async with serving_oip(tmp_path, {"m": scores}) as door:
        wanted = [triton.InferRequestedOutput("y", class_count=2)]
        result = await door.infer(
            "m", given("x", np.array([[1, 3, 2]], np.float32)), outputs=wanted
        )

    assert result.as_numpy("y").tolist() == [[b"3.000000:1", b"2.000000:2"]]


@pytest.mark.parametrize("size", [100_000, 1_000_000])
async def test_large_tensors(tmp_path: Path, size: int) -> None:
    """They are decoded and encoded on a thread."""
    wide = FakeSignature(
        inputs=by_name(spec("x", np.float32, None)), outputs=by_name(spec("y", np.float32, None))
    )
    array = np.arange(size, dtype=np.float32).reshape(1, size)
    async with serving_oip(tmp_path, {"m": wide}) as door:
        result = await door.infer("m", given("x", array))

    np.testing.assert_array_equal(result.as_numpy("y"), array * 2)


async def test_requests_share_batches(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(door.infer("m", x(0)))]
            await until(lambda: len(fake.batches) == 1)
            asked += [group.create_task(door.infer("m", x(i))) for i in range(1, 9)]
            await until(lambda: door.rest.waiting_rows("m") == 8)
            fake.valve.open()

    assert [task.result().as_numpy("y").tolist() for task in asked] == [[2 * i] for i in range(9)]
    assert fake.sizes == [1, 8]


async def test_a_request_that_its_client_cancels_never_runs(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        first = asyncio.create_task(door.infer("m", x(1)))
        await until(lambda: len(fake.batches) == 1)
        second = asyncio.create_task(door.infer("m", x(2)))
        await until(lambda: door.rest.waiting_rows("m") == 1)

        second.cancel()
        await until(lambda: door.rest.waiting_rows("m") == 0)

        fake.valve.open()
        assert (await first).as_numpy("y").tolist() == [2]
    assert fake.sizes == [1]


async def test_a_request_that_the_synchronous_client_cancels_never_runs(tmp_path: Path) -> None:
    fake = FakeSignature()
    outcomes: list[Any] = []
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        first = asyncio.create_task(door.infer("m", x(1)))
        await until(lambda: len(fake.batches) == 1)
        with sync.InferenceServerClient(door.address) as client:
            context = client.async_infer(
                "m", [x(2)], callback=lambda result, error: outcomes.append(error)
            )
            await until(lambda: door.rest.waiting_rows("m") == 1)
            context.cancel()
            await until(lambda: door.rest.waiting_rows("m") == 0)
            await until(lambda: bool(outcomes))

        fake.valve.open()
        await first
    assert fake.sizes == [1]
    assert outcomes[0].status() == "StatusCode.CANCELLED"


async def test_a_request_past_its_deadline_never_runs(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        first = asyncio.create_task(door.infer("m", x(1)))
        await until(lambda: len(fake.batches) == 1)

        with pytest.raises(InferenceServerException) as caught:
            await door.infer("m", x(2), client_timeout=0.05)
        assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
        await until(lambda: door.rest.waiting_rows("m") == 0)

        fake.valve.open()
        await first
    assert fake.sizes == [1]


async def test_the_queue_timeout_is_prompt(tmp_path: Path) -> None:
    """Triton answers after its batcher's next turn, up to half a second late."""
    fake = FakeSignature()
    loop = asyncio.get_running_loop()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        first = asyncio.create_task(door.infer("m", x(1)))
        await until(lambda: len(fake.batches) == 1)

        began = loop.time()
        with pytest.raises(InferenceServerException) as caught:
            await door.infer("m", x(2), timeout=50_000, request_id="late")
        waited = loop.time() - began

        fake.valve.open()
        await first
    assert caught.value.status() == "StatusCode.UNAVAILABLE"
    assert caught.value.message() == "[request id: late] Request timeout expired"
    assert 0.045 <= waited < 0.4
    assert fake.sizes == [1]


async def test_calls_are_counted(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        await door.infer("m", x(1))
        with pytest.raises(InferenceServerException):
            await door.infer("m", given("x", np.array([1], np.int64)))
        counted = {
            status: await door.rest.metric(
                "tensorgate_requests_total", model="m", api="ModelInfer", code=status
            )
            for status in ("OK", "INVALID_ARGUMENT")
        }

    assert counted == {"OK": 1, "INVALID_ARGUMENT": 1}


async def test_who_looks_on_can_show_the_bodies(tmp_path: Path) -> None:
    seen: list[Exchange] = []
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        door.gateway.observers.append(seen.append)
        await door.infer("m", x(1), request_id="mine")

    [exchange] = seen
    request = json.loads(exchange.bodies.request(exchange.request_body))
    answer = json.loads(exchange.bodies.response(exchange.response_body))
    assert (request["model_name"], request["id"]) == ("m", "mine")
    assert request["raw_input_contents"] == [base64.b64encode(np.float32(1).tobytes()).decode()]
    assert answer["outputs"] == [{"name": "y", "datatype": "FP32", "shape": ["1"]}]
