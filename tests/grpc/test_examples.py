"""PredictionService.Classify, Regress and MultiInference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code
from gateway.protos.serving import (
    ClassificationRequest,
    MultiInferenceRequest,
    RegressionRequest,
)
from tests.gateway.example_models import classifier, regressor
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.grpc.serving import GrpcClient, serving_grpc

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture
def fakes() -> dict[str, FakeSignature]:
    return {"serving_default": classifier(), "number": regressor(), "array": FakeSignature()}


@pytest.fixture
async def client(tmp_path: Path, fakes: dict[str, FakeSignature]) -> AsyncIterator[GrpcClient]:
    async with serving_grpc(tmp_path, {"m": fakes, "other": fakes}) as client:
        yield client


def add_examples(message: Any, *xs: float, context: dict[str, float] | None = None) -> Any:
    kind = message.input.example_list
    if context is not None:
        kind = message.input.example_list_with_context
        for name, value in context.items():
            kind.context.features.feature[name].float_list.value.append(value)
    for x in xs:
        kind.examples.add().features.feature["x"].float_list.value.append(x)
    return message


def classify(*xs: float, model: str = "m", signature: str = "", **options: Any) -> Any:
    spec = {"name": model, "signature_name": signature}
    return add_examples(ClassificationRequest(model_spec=spec), *xs, **options)


def regress(*xs: float, model: str = "m", signature: str = "number", **options: Any) -> Any:
    spec = {"name": model, "signature_name": signature}
    return add_examples(RegressionRequest(model_spec=spec), *xs, **options)


def multi(*tasks: tuple[str, str, str], xs: tuple[float, ...] = (0.25,)) -> Any:
    """``tasks``: model, signature and method."""
    message = MultiInferenceRequest()
    for model, signature, method in tasks:
        added = message.tasks.add(method_name=method)
        added.model_spec.name, added.model_spec.signature_name = model, signature
    return add_examples(message, *xs)


def pairs(result: Any) -> list[list[tuple[str, float]]]:
    return [[(c.label, c.score) for c in row.classes] for row in result.classifications]


def values(result: Any) -> list[float]:
    return [regression.value for regression in result.regressions]


async def test_classify(client: GrpcClient) -> None:
    answer = await client.call("Classify", classify(0.25, 0.5))
    assert pairs(answer.result) == [
        [("low", 0.75), ("high", 0.25)],
        [("low", 0.5), ("high", 0.5)],
    ]
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 1, "")


async def test_regress(client: GrpcClient) -> None:
    answer = await client.call("Regress", regress(0.25, 0.5))
    assert values(answer.result) == [0.25, 0.5]
    assert answer.model_spec.signature_name == "number"


async def test_context_is_part_of_every_example(client: GrpcClient) -> None:
    answer = await client.call("Regress", regress(0.25, 0.5, context={"weight": 4.0, "x": 9.0}))
    assert values(answer.result) == [1, 2]


async def test_rest_and_grpc_share_a_batch(
    client: GrpcClient, fakes: dict[str, FakeSignature]
) -> None:
    fake = fakes["number"]
    fake.valve.shut()
    first = asyncio.create_task(_answer(client, regress(0.0)))
    await until(lambda: len(fake.batches) == 1)
    grpc = asyncio.create_task(_answer(client, regress(0.5)))
    body = b'{"signature_name":"number","examples":[{"x":0.25}]}'
    rest = asyncio.create_task(client.rest.ask("POST", "/v1/models/m:regress", data=body))
    latest = client.gateway.registry.models["m"].latest
    assert latest is not None
    batcher = latest.queues["number"].batcher
    await until(lambda: batcher.statistics().waiting_rows == 2)
    fake.valve.open()
    assert (await first, await grpc) == ([0], [0.5])
    assert (await rest).json == {"results": [0.25]}
    assert fake.sizes == [1, 2]


async def _answer(client: GrpcClient, message: Any) -> list[float]:
    return values((await client.call("Regress", message)).result)


async def test_examples_are_counted(client: GrpcClient) -> None:
    await client.call("Regress", regress(1, 2, 3))
    await client.call("Classify", classify(1))
    total = client.gateway.tf_metrics.total("/tensorflow/serving/request_example_count_total")
    assert total == 4


@pytest.mark.parametrize(
    ("method", "message", "code", "details"),
    [
        ("Classify", ClassificationRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        ("Classify", classify(), Code.INVALID_ARGUMENT, "Input is empty."),
        ("Regress", regress(context={}), Code.INVALID_ARGUMENT, "Input is empty."),
        (
            "Classify",
            classify(1, signature="no"),
            Code.INVALID_ARGUMENT,
            "No signature was found with the name: no",
        ),
        (
            "Classify",
            classify(1, model="x"),
            Code.NOT_FOUND,
            "Servable not found for request: Latest(x)",
        ),
        (
            "Regress",
            regress(1, signature=""),
            Code.INVALID_ARGUMENT,
            "Expected one output Tensor. Found: classes, scores",
        ),
        (
            "Classify",
            classify(1, signature="array"),
            Code.FAILED_PRECONDITION,
            'No classification inputs found in SignatureDef: expected "inputs", got x',
        ),
        (
            "Classify",
            b"\x12\x03\xff",
            Code.INVALID_ARGUMENT,
            "the request is no message with an Input of Examples",
        ),
    ],
)
async def test_mistakes_of_clients(
    client: GrpcClient, method: str, message: Any, code: Code, details: str
) -> None:
    assert await client.refused(method, message) == (code.name, details)


BOTH = (("m", "", CLASSIFY), ("m", "number", REGRESS))


async def test_multi_inference(client: GrpcClient, fakes: dict[str, FakeSignature]) -> None:
    answer = await client.call("MultiInference", multi(*BOTH, xs=(0.25, 0.5)))
    first, second = answer.results
    assert pairs(first.classification_result)[0] == [("low", 0.75), ("high", 0.25)]
    assert values(second.regression_result) == [0.25, 0.5]
    assert (first.model_spec.signature_name, first.model_spec.version.value) == ("", 1)
    assert second.model_spec.signature_name == "number"


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (multi(), Code.INVALID_ARGUMENT, "Inference request contains no tasks."),
        (
            multi(("", "", CLASSIFY)),
            Code.INVALID_ARGUMENT,
            "Found ModelSpec with an empty model name.",
        ),
        (
            multi(("m", "", CLASSIFY), ("other", "number", REGRESS)),
            Code.INVALID_ARGUMENT,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            multi(("m", "", CLASSIFY), ("m", "serving_default", CLASSIFY)),
            Code.INVALID_ARGUMENT,
            "Duplicate evaluation of signature: serving_default",
        ),
        (
            multi(("m", "", "tensorflow/serving/predict")),
            Code.UNIMPLEMENTED,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            multi(("m", "no", REGRESS)),
            Code.INVALID_ARGUMENT,
            "Requested signature not found in model graph: no",
        ),
        (multi(*BOTH, xs=()), Code.INVALID_ARGUMENT, "Input is empty."),
        (
            multi(("x", "", CLASSIFY)),
            Code.NOT_FOUND,
            "Servable not found for request: Latest(x)",
        ),
        (b"\x0a\x03\xff", Code.INVALID_ARGUMENT, "the request is no MultiInferenceRequest"),
    ],
)
async def test_mistakes_in_multi_inference(
    client: GrpcClient, message: Any, code: Code, details: str
) -> None:
    assert await client.refused("MultiInference", message) == (code.name, details)


async def test_one_task_s_failure_ends_the_others(tmp_path: Path) -> None:
    waits, fails = classifier(), regressor()

    def fail(inputs: Any) -> Any:
        raise ValueError("broken")

    fails = replace(fails, function=fail)
    devices = ("cpu:0", "cpu:1")
    async with serving_grpc(tmp_path, {"m": {"a": waits, "b": fails}}, devices=devices) as client:
        waits.valve.shut()
        blocked = asyncio.create_task(_blocked(client))
        await until(lambda: len(waits.batches) == 1)
        message = multi(("m", "a", CLASSIFY), ("m", "b", REGRESS))
        assert await client.refused("MultiInference", message) == ("INTERNAL", "internal error")
        await until(lambda: client.gateway.in_flight == 1)
        waits.valve.open()
        await blocked


async def _blocked(client: GrpcClient) -> None:
    await client.call("Classify", classify(0.5, signature="a"))
