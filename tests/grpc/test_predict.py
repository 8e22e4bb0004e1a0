"""PredictionService.Predict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Signature, Tensors
from gateway.codecs.tensor_proto import array_of
from gateway.errors import Code, ServingError, invalid_argument
from gateway.protos.serving import PredictRequest
from tests.gateway.fake_backend import Content, FakeSignature, Outputs, by_name, spec
from tests.gateway.serving import until
from tests.grpc.serving import GrpcClient, predict_request, serving_grpc


def _sum_and_text(inputs: Tensors) -> Outputs:
    return {"sum": inputs["a"] + inputs["b"], "text": inputs["t"]}


class WithDefault(FakeSignature):
    """``b`` may be left out."""

    def describe(self, name: str) -> Signature:
        return replace(super().describe(name), defaults={"b": np.ones(1, np.int64)})


def adder(kind: type[FakeSignature] = FakeSignature) -> FakeSignature:
    inputs = by_name(spec("a", np.int64), spec("b", np.int64), spec("t", object))
    return kind(_sum_and_text, inputs, by_name(spec("sum", np.int64), spec("text", object)))


CONTENTS: dict[str, Content] = {
    "m/1": FakeSignature(),
    "m/2": {"serving_default": FakeSignature(), "other": FakeSignature()},
    "adder": adder(),
    "default": adder(WithDefault),
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[GrpcClient]:
    models = {"m": {"model_version_policy": "all", "version_labels": {"old": 1}}}
    async with serving_grpc(tmp_path, CONTENTS, models=models, max_body_bytes=2**20) as client:
        yield client


def request(model: str = "m", **spec: Any) -> Any:
    message = predict_request(model, x=np.float32([1, 2]))
    if "version" in spec:
        message.model_spec.version.value = spec.pop("version")
    for name, value in spec.items():
        setattr(message.model_spec, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "version", "signature"),
    [
        (request(), 2, "serving_default"),
        (request(version=1), 1, "serving_default"),
        (request(version_label="old"), 1, "serving_default"),
        (request(signature_name="other"), 2, "other"),
    ],
)
async def test_what_answers(client: GrpcClient, message: Any, version: int, signature: str) -> None:
    answer = await client.call("Predict", message)
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", version, signature)
    assert list(answer.outputs) == ["y"]
    output = answer.outputs["y"]
    assert (list(output.float_val), output.tensor_content) == ([2, 4], b"")
    assert [dim.size for dim in output.tensor_shape.dim] == [2]


async def test_answers_as_tensor_content(tmp_path: Path) -> None:
    flag = {"enable_serialization_as_tensor_content": True}
    async with serving_grpc(tmp_path, {"m": FakeSignature()}, **flag) as client:
        output = (await client.call("Predict", request())).outputs["y"]
        assert not output.float_val
        assert np.frombuffer(output.tensor_content, np.float32).tolist() == [2, 4]


async def test_several_inputs_and_outputs(client: GrpcClient) -> None:
    message = predict_request("adder", a=[1, 2], b=[10, 20], t=np.array([b"\xff", b""], object))
    outputs = (await client.call("Predict", message)).outputs
    assert {alias: array_of(proto).tolist() for alias, proto in outputs.items()} == {
        "sum": [11, 22],
        "text": [b"\xff", b""],
    }


@pytest.mark.parametrize(
    ("asked", "given"), [(["sum"], {"sum"}), (["text", "sum"], {"text", "sum"})]
)
async def test_the_output_filter(client: GrpcClient, asked: list[str], given: set[str]) -> None:
    message = predict_request("adder", a=[1], b=[2], t=np.array([b""], object))
    message.output_filter.extend(asked)
    assert set((await client.call("Predict", message)).outputs) == given


async def test_inputs_with_a_default_may_be_left_out(client: GrpcClient) -> None:
    message = predict_request("default", a=[1], t=np.array([b"x"], object))
    assert array_of((await client.call("Predict", message)).outputs["sum"]).tolist() == [2]


async def test_one_value_fills_a_shape(client: GrpcClient) -> None:
    message = predict_request("m")
    message.inputs["x"].dtype = 1
    message.inputs["x"].tensor_shape.dim.add(size=3)
    message.inputs["x"].float_val.append(5)
    assert list((await client.call("Predict", message)).outputs["y"].float_val) == [10] * 3


async def test_what_is_large(client: GrpcClient) -> None:
    """Decoded and encoded on a thread."""
    x = np.arange(50_000, dtype=np.float32)
    answer = await client.call("Predict", predict_request("m", x=x))
    np.testing.assert_array_equal(array_of(answer.outputs["y"]), 2 * x)


def with_filter(*aliases: str) -> Any:
    message = request()
    message.output_filter.extend(aliases)
    return message


def with_tensor(**fields: Any) -> Any:
    message = PredictRequest()
    message.model_spec.name = "m"
    proto = message.inputs["x"]
    proto.dtype = fields.pop("dtype", 1)
    for size in fields.pop("shape", [2]):
        proto.tensor_shape.dim.add(size=size)
    for name, value in fields.items():
        if isinstance(value, bytes):
            setattr(proto, name, value)
        else:
            getattr(proto, name).extend(value)
    return message


NOT_FOUND = "Servable not found for request: "
MISMATCH = "input size does not match signature: "


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (PredictRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (request(""), Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (b"\xff\xff", Code.INVALID_ARGUMENT, "the request is no PredictRequest"),
        (
            b"\x0a\x02\xff\xff",
            Code.INVALID_ARGUMENT,
            "the request's model_spec is no ModelSpec",
        ),
        (request("other"), Code.NOT_FOUND, NOT_FOUND + "Latest(other)"),
        (request(version=7), Code.NOT_FOUND, NOT_FOUND + "Specific(m, 7)"),
        (
            request(version_label="x"),
            Code.INVALID_ARGUMENT,
            "Unrecognized servable version label: x",
        ),
        (
            request(signature_name="no"),
            Code.FAILED_PRECONDITION,
            'Serving signature key "no" not found.',
        ),
        (
            predict_request("m"),
            Code.INVALID_ARGUMENT,
            MISMATCH + "0!=1 len({}) != len({x}). Sent extra: {}. Missing but required: {x}.",
        ),
        (
            predict_request("m", z=np.float32([1])),
            Code.INVALID_ARGUMENT,
            MISMATCH + "1!=1 len({z}) != len({x}). Sent extra: {z}. Missing but required: {x}.",
        ),
        (
            predict_request("m", x=np.int32([1])),
            Code.INVALID_ARGUMENT,
            'input "x" must be DT_FLOAT, got DT_INT32',
        ),
        (
            with_tensor(dtype=0),
            Code.INVALID_ARGUMENT,
            'input "x" has no dtype',
        ),
        (
            with_tensor(tensor_content=b"123"),
            Code.INVALID_ARGUMENT,
            'input "x" has 3 bytes in tensor_content, but its dtype and shape take 8',
        ),
        (
            with_tensor(float_val=[1, 2, 3]),
            Code.INVALID_ARGUMENT,
            'input "x" has 3 values in float_val, but its shape [2] takes 2',
        ),
        (with_tensor(shape=[-1]), Code.INVALID_ARGUMENT, 'input "x" has an incomplete shape'),
        (
            with_tensor(shape=[2**40, 2**40]),
            Code.INVALID_ARGUMENT,
            'input "x" has the shape [1099511627776,1099511627776], which no memory can hold',
        ),
        (
            with_tensor(shape=[2**40], float_val=[1]),
            Code.INVALID_ARGUMENT,
            'input "x" has 1 values in float_val, which would be repeated to fill 4398046511104'
            " bytes; at most 67108864 are filled",
        ),
        (
            with_filter("nothing"),
            Code.INVALID_ARGUMENT,
            "output tensor alias not found in signature: nothing"
            " Outputs expected to be in the set {y}.",
        ),
        (with_filter("y", "y"), Code.INVALID_ARGUMENT, "duplicate output tensor alias: y"),
    ],
)
async def test_mistakes_of_clients(
    client: GrpcClient, message: Any, code: Code, details: str
) -> None:
    assert await client.refused("Predict", message) == (code.name, details)
    assert await client.predict("m", 3) == [6]


async def test_the_model_s_own_error(client: GrpcClient) -> None:
    message = predict_request("m", x=np.float32([-1]))
    assert await client.refused("Predict", message) == (
        "INVALID_ARGUMENT",
        "x must not be negative",
    )


async def test_a_message_beyond_the_limit(client: GrpcClient) -> None:
    code, _ = await client.refused("Predict", predict_request("m", x=np.zeros(2**19, np.float32)))
    assert code == "RESOURCE_EXHAUSTED"


def _fail(inputs: Tensors) -> Outputs:
    raise invalid_argument("é" * 2000)


def _break(inputs: Tensors) -> Outputs:
    raise RuntimeError("a secret")


def _surrogate(inputs: Tensors) -> Outputs:
    raise ServingError(Code.DATA_LOSS, "lost \udcff")


async def test_details_of_failures(tmp_path: Path) -> None:
    contents: dict[str, Content] = {
        "long": FakeSignature(_fail),
        "broken": FakeSignature(_break),
        "surrogate": FakeSignature(_surrogate),
    }
    async with serving_grpc(tmp_path, contents) as client:
        code, details = await client.refused("Predict", request("long"))
        assert (code, len(details)) == ("INVALID_ARGUMENT", 1024)
        assert details.endswith("é...TRUNCATED")
        assert await client.refused("Predict", request("broken")) == ("INTERNAL", "internal error")
        assert await client.refused("Predict", request("surrogate")) == ("DATA_LOSS", "lost ?")


async def test_a_signature_made_for_another_call(tmp_path: Path) -> None:
    fake = FakeSignature(method_name="custom")
    flag = {"enable_signature_method_name_check": True}
    async with serving_grpc(tmp_path, {"m": fake}, **flag) as client:
        code, details = await client.refused("Predict", request())
        assert code == "INTERNAL"
        assert details.startswith("Expected prediction signature method_name to be one of")


async def test_rest_and_grpc_share_a_batch(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_grpc(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        first = asyncio.create_task(client.predict("m", 1))
        await until(lambda: len(fake.batches) == 1)
        grpc = asyncio.create_task(client.predict("m", 2, 3))
        rest = asyncio.create_task(client.rest.predict("m", {"instances": [4.0]}))
        await until(lambda: client.rest.waiting_rows("m") == 3)
        fake.valve.open()
        assert (await first, await grpc) == ([2], [4, 6])
        assert (await rest).json == {"predictions": [8.0]}
        assert [sorted(batch["x"].tolist()) for batch in fake.batches] == [[1], [2, 3, 4]]


async def test_calls_are_counted(client: GrpcClient) -> None:
    await client.predict("m", 1)
    await client.refused("Predict", request(version=7))
    await client.refused("Predict", request("stranger"))
    rest = client.rest
    labels = {"api": "Predict", "model": "m"}
    assert await rest.metric("tensorgate_requests_total", **labels, code="OK") == 1
    assert await rest.metric("tensorgate_requests_total", **labels, code="NOT_FOUND") == 1
    assert await rest.metric("tensorgate_requests_total", api="Predict", model="") == 1
    assert client.gateway.tf_metrics.total("/tensorflow/serving/request_count") == 3
    text = (await rest.get("/monitoring/prometheus/metrics")).body.decode()
    latency = (
        ':tensorflow:serving:request_latency_count{model_name="m",API="Predict",entrypoint="GRPC"}'
    )
    assert f"{latency} 1" in text
    assert ':tensorflow:serving:runtime_latency_count{model_name="m",API="Predict"' in text
