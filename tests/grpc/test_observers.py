"""Those who look on at gRPC calls: the request log, and the shadow."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.codecs.tensor_proto import array_of
from gateway.errors import Code
from gateway.exchange import Exchange
from gateway.protos.serving import PredictionLog, PredictResponse
from tests.gateway.example_models import classifier, regressor
from tests.gateway.fake_backend import Content, FakeSignature
from tests.gateway.serving import until
from tests.grpc.serving import GrpcClient, predict_request, serving_grpc
from tests.grpc.test_examples import BOTH, CLASSIFY, classify, multi, regress

EXAMPLES: dict[str, Content] = {"m": {"serving_default": classifier(), "number": regressor()}}


def watch(client: GrpcClient) -> list[Exchange]:
    seen: list[Exchange] = []
    client.gateway.observers.append(seen.append)
    return seen


async def test_an_answered_call(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, {"m": FakeSignature()}) as client:
        seen = watch(client)
        message = predict_request("m", x=np.float32([1, 2]))
        await client.call("Predict", message)
        message.model_spec.version.value = 1
        await client.call("Predict", message)
        first, second = seen
        assert (first.api, first.error, first.servable.name) == ("predict", None, "m")
        assert (first.pinned, second.pinned) == (False, True)
        np.testing.assert_array_equal(first.inputs["x"], [1, 2])
        assert first.outputs is not None
        np.testing.assert_array_equal(first.outputs["y"], [2, 4])
        assert second.request_body == message.SerializeToString()
        answer = PredictResponse.FromString(first.response_body)
        assert array_of(answer.outputs["y"]).tolist() == [2, 4]


async def test_a_failed_call(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, {"m": FakeSignature()}) as client:
        seen = watch(client)
        await client.refused("Predict", predict_request("m", x=np.float32([-1])))
        (exchange,) = seen
        assert exchange.error is not None
        assert (exchange.error.code, exchange.outputs) == (Code.INVALID_ARGUMENT, None)


async def test_a_cancelled_call_is_not_told_of(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        seen = watch(client)
        fake.valve.shut()
        call = client.call("Predict", predict_request("m", x=np.float32([1])))
        await until(lambda: len(fake.batches) == 1)
        call.cancel()
        await until(lambda: client.gateway.in_flight == 0)
        fake.valve.open()
        assert await client.predict("m", 2) == [4]
        assert len(seen) == 1


async def test_examples(tmp_path: Path) -> None:
    async with serving_grpc(tmp_path, EXAMPLES) as client:
        seen = watch(client)
        await client.call("Classify", classify(0.25))
        await client.call("Regress", regress(0.25))
        await client.call("MultiInference", multi(*BOTH))
        assert [exchange.api for exchange in seen[:2]] == ["classify", "regress"]
        assert sorted(exchange.api for exchange in seen[2:]) == ["classify", "regress"]


async def logged(client: GrpcClient, log: Path) -> bytes:
    await client.gateway.close_request_logs(5)
    return await asyncio.to_thread(log.read_bytes)


async def test_json_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    models = {"m": {"request_log": str(log)}}
    async with serving_grpc(tmp_path, {"m": FakeSignature()}, models=models) as client:
        await client.gateway.open_request_logs()
        await client.predict("m", 1)
        await client.refused("Predict", predict_request("m", x=np.float32([-1])))
        lines = [json.loads(line) for line in (await logged(client, log)).splitlines()]
    good, bad = lines
    assert (good["api"], good["model"], good["status"]) == ("predict", "m", "OK")
    shape = {"dim": [{"size": "1"}]}
    x = {"dtype": "DT_FLOAT", "tensor_shape": shape, "float_val": [1.0]}
    assert good["request"] == {"model_spec": {"name": "m"}, "inputs": {"x": x}}
    assert good["response"]["outputs"] == {"y": x | {"float_val": [2.0]}}
    assert bad["response"] == {"error": "x must not be negative"}


async def test_json_lines_of_several_tasks(tmp_path: Path) -> None:
    log = tmp_path / "log"
    models = {"m": {"request_log": str(log)}}
    async with serving_grpc(tmp_path, EXAMPLES, models=models) as client:
        await client.gateway.open_request_logs()
        await client.call("MultiInference", multi(("m", "", CLASSIFY)))
        (line,) = map(json.loads, (await logged(client, log)).splitlines())
    (task,) = line["request"]["tasks"]
    assert task["method_name"] == CLASSIFY
    classes = line["response"]["classification_result"]["classifications"][0]["classes"]
    assert classes[0] == {"label": "low", "score": 0.75}


@pytest.mark.parametrize("kind", ["predict_log", "classify_log"])
async def test_tf_records(tmp_path: Path, kind: str) -> None:
    log = tmp_path / "log"
    models = {"m": {"request_log": str(log), "request_log_format": "tfrecord"}}
    contents: dict[str, Content] = (
        {"m": FakeSignature()} if kind == "predict_log" else dict(EXAMPLES)
    )
    async with serving_grpc(tmp_path, contents, models=models) as client:
        await client.gateway.open_request_logs()
        if kind == "predict_log":
            await client.predict("m", 1)
        else:
            await client.call("Classify", classify(0.25))
        data = await logged(client, log)
    record: Any = PredictionLog.FromString(data[12:-4])
    assert record.WhichOneof("log_type") == kind
    assert getattr(record, kind).response.model_spec.name == "m"


async def test_the_shadow_runs_calls_too(tmp_path: Path) -> None:
    shadow = FakeSignature(lambda inputs: {"y": inputs["x"] * 3})
    models = {"m": {"model_version_policy": "all", "shadow": {"version": 2}, "batching": "on"}}
    contents: dict[str, Content] = {"m/1": FakeSignature(), "m/2": shadow}
    async with serving_grpc(tmp_path, contents, models=models) as client:
        assert await client.predict("m", 1) == [2]
        await client.gateway.shadow.drain()
        assert list(client.gateway.shadow.counts) == [("m", 2, "different")]
