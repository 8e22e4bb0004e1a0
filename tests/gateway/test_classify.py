"""POST ...:classify, from examples in JSON to labels with scores."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.tensorflow import TensorFlowBackend
from gateway.config.settings import Settings
from tests.gateway.conftest import Repository
from tests.gateway.example_models import classifier, parses_examples, regressor
from tests.gateway.fake_backend import Content, FakeSignature
from tests.gateway.serving import Answer, Client, serving, serving_fakes, until

LOW_AND_HIGH = [["low", 0.75], ["high", 0.25]]
BODY = {"examples": [{"x": 0.25}]}


@pytest.fixture
def fake() -> FakeSignature:
    return classifier()


@pytest.fixture
async def client(tmp_path: Path, fake: FakeSignature) -> AsyncIterator[Client]:
    signatures = {"serving_default": fake, "number": regressor(), "array": FakeSignature()}
    contents: dict[str, Content] = {"m": signatures, "plain": FakeSignature()}
    async with serving_fakes(tmp_path, contents) as client:
        yield client


async def classify(client: Client, model: str, body: Any, **options: Any) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.ask("POST", f"/v1/models/{model}:classify", data=data, **options)


@pytest.mark.parametrize("model", ["m", "m/versions/1"])
async def test_labels_and_scores(client: Client, model: str) -> None:
    answer = await classify(client, model, {"examples": [{"x": 0.25}, {"x": [0.5]}]})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {"results": [LOW_AND_HIGH, [["low", 0.5], ["high", 0.5]]]}


async def test_context_is_part_of_every_example(client: Client) -> None:
    body = {"context": {"x": 0.25}, "examples": [{}, {"y": 1.5}]}
    assert (await classify(client, "m", body)).json == {"results": [LOW_AND_HIGH] * 2}


async def test_requests_share_a_batch(client: Client, fake: FakeSignature) -> None:
    fake.valve.shut()
    first = asyncio.create_task(classify(client, "m", BODY))
    await until(lambda: len(fake.batches) == 1)
    others = [asyncio.create_task(classify(client, "m", BODY)) for _ in range(3)]
    await until(lambda: client.waiting_rows("m") == 3)
    fake.valve.open()
    for task in (first, *others):
        assert (await task).json == {"results": [LOW_AND_HIGH]}
    assert fake.sizes == [1, 3]


async def test_a_compressed_body(client: Client) -> None:
    body = gzip.compress(json.dumps(BODY).encode())
    answer = await classify(client, "m", body, headers={"Content-Encoding": "gzip"})
    assert answer.json == {"results": [LOW_AND_HIGH]}


async def test_a_large_body_is_read_on_a_thread_to_the_same_answer(client: Client) -> None:
    examples = [{"x": 0.25, "text": "x" * 100}] * 1000
    answer = await classify(client, "m", {"examples": examples})
    assert answer.json == {"results": [LOW_AND_HIGH] * len(examples)}


async def test_timing_on_request(client: Client) -> None:
    answer = await classify(client, "m", BODY, headers={"X-Server-Timing": "1"})
    assert answer.headers["Server-Timing"].endswith('batch_rows;desc="1"')


async def test_an_unknown_signature(client: Client) -> None:
    answer = await classify(client, "m", {"signature_name": "other", **BODY})
    message = "No signature was found with the name: other"
    assert (answer.status, answer.error) == (400, message)


async def test_an_unknown_model(client: Client) -> None:
    answer = await classify(client, "nobody", BODY)
    message = "Servable not found for request: Latest(nobody)"
    assert (answer.status, answer.error) == (404, message)


@pytest.mark.parametrize("signature", ["number", "array"])
async def test_a_signature_for_something_else(client: Client, signature: str) -> None:
    answer = await classify(client, "m", {"signature_name": signature, **BODY})
    assert answer.status == 400
    assert answer.error


async def test_order_of_checks(client: Client) -> None:
    bad_value = {"examples": [{"x": None}]}
    assert (await classify(client, "nobody", b"{")).status == 400
    assert (await classify(client, "nobody", {"signature_name": 1, **BODY})).status == 400
    assert (await classify(client, "nobody", bad_value)).status == 404
    unknown = await classify(client, "m", {"signature_name": "other", **bad_value})
    assert unknown.error.startswith("No signature was found")
    unfit = await classify(client, "plain", bad_value)
    assert unfit.error == (await classify(client, "plain", BODY)).error
    assert (await classify(client, "m", bad_value)).status == 400


async def test_method_names_count_only_when_asked(tmp_path: Path) -> None:
    fake = classifier()
    fake.method_name = "tensorflow/serving/predict"
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        assert (await classify(client, "m", BODY)).status == 200
    checked = {"enable_signature_method_name_check": True}
    async with serving_fakes(tmp_path, {"m": fake, "right": classifier()}, **checked) as client:
        assert (await classify(client, "m", BODY)).status == 400
        assert (await classify(client, "right", BODY)).status == 200


@pytest.mark.tf
async def test_a_model_of_tensorflow(
    repository: Repository, tensorflow_backend: TensorFlowBackend
) -> None:
    root = repository(m=parses_examples)
    settings = Settings.model_validate({"models": {"m": {"base_path": str(root / "m")}}})
    async with serving(settings, tensorflow_backend) as client:
        answer = await classify(client, "m", {"context": {"x": 0.25}, "examples": [{}, {}]})
        assert answer.json == {"results": [LOW_AND_HIGH] * 2}
        missing = await classify(client, "m", {"examples": [{"y": 0.25}]})
        assert missing.status == 400
        assert "x" in missing.error
