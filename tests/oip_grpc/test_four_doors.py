"""Requests of all protocols for one model share batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio

from gateway.codecs.tensor_proto import array_of, tensor_proto
from gateway.protos.services import PREDICTION_SERVICE
from gateway.protos.serving import PredictRequest, PredictResponse
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.oip_grpc.serving import Door, serving_oip, x

Ask = Callable[..., Awaitable[list[float]]]
"""The values of ``y`` for values of ``x``."""


async def tf_serving_rest(door: Door, *values: float) -> list[float]:
    answer = await door.rest.predict("m", {"instances": list(values)})
    found: list[float] = answer.json["predictions"]
    return found


async def tf_serving_grpc(door: Door, *values: float) -> list[float]:
    request = PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].CopyFrom(tensor_proto(np.array(values, np.float32), "DT_FLOAT"))
    call = door.channel.unary_unary(f"/{PREDICTION_SERVICE}/Predict")
    answer = PredictResponse.FromString(await call(request.SerializeToString()))
    found: list[float] = array_of(answer.outputs["y"]).tolist()
    return found


@asynccontextmanager
async def oip_rest_client(door: Door) -> AsyncIterator[triton_http_aio.InferenceServerClient]:
    client = triton_http_aio.InferenceServerClient(f"127.0.0.1:{door.rest.port}")
    try:
        yield client
    finally:
        await client.close()


async def oip_rest(door: Door, *values: float) -> list[float]:
    given = triton_http.InferInput("x", [len(values)], "FP32")
    given.set_data_from_numpy(np.array(values, np.float32))
    async with oip_rest_client(door) as client:
        found: list[float] = (await client.infer("m", [given])).as_numpy("y").tolist()
    return found


async def oip_grpc(door: Door, *values: float) -> list[float]:
    found: list[float] = (await door.infer("m", x(*values))).as_numpy("y").tolist()
    return found


DOORS: tuple[Ask, ...] = (tf_serving_rest, tf_serving_grpc, oip_rest, oip_grpc)


async def test_one_batch_holds_requests_from_all_four_doors(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(oip_grpc(door, 99))
            await until(lambda: len(fake.batches) == 1)
            # Another number of rows from each door: an answer that went elsewhere would show.
            asked = {
                ask: group.create_task(ask(door, *range(10 * rows, 11 * rows)))
                for rows, ask in enumerate(DOORS, 1)
            }
            await until(lambda: door.rest.waiting_rows("m") == 1 + 2 + 3 + 4)
            fake.valve.open()

    assert first.result() == [198]
    for rows, ask in enumerate(DOORS, 1):
        assert asked[ask].result() == [2 * value for value in range(10 * rows, 11 * rows)]
    assert fake.sizes == [1, 10]
    together = sorted(fake.batches[1]["x"].tolist())
    assert together == [value for rows in (1, 2, 3, 4) for value in range(10 * rows, 11 * rows)]


async def test_a_mistake_through_one_door_costs_the_others_nothing(tmp_path: Path) -> None:
    """The model refuses one request of a batch that all of them share."""
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m": fake}) as door:
        fake.valve.shut()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(oip_grpc(door, 99))
            await until(lambda: len(fake.batches) == 1)
            refused = group.create_task(door.rest.predict("m", {"instances": [-1]}))
            asked = [group.create_task(ask(door, 1, 2)) for ask in DOORS]
            await until(lambda: door.rest.waiting_rows("m") == 9)
            fake.valve.open()

    assert first.result() == [198]
    assert refused.result().status == 400
    assert [task.result() for task in asked] == [[2, 4]] * 4
