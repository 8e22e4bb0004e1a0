"""POST ...:regress, from examples in JSON to numbers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.tensorflow import TensorFlowBackend
from gateway.config.settings import Settings
from tests.gateway.conftest import Repository
from tests.gateway.example_models import classifier, parses_examples, regressor
from tests.gateway.serving import Answer, Client, serving, serving_fakes

BODY = {"examples": [{"x": 1.5}, {"x": 2.5, "weight": 2.5}]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    signatures = {"serving_default": regressor(), "labels": classifier()}
    async with serving_fakes(tmp_path, {"m": signatures}) as client:
        yield client


async def regress(client: Client, model: str, body: Any) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.ask("POST", f"/v1/models/{model}:regress", data=data)


async def test_numbers(client: Client) -> None:
    answer = await regress(client, "m", BODY)
    assert (answer.status, answer.json) == (200, {"results": [1.5, 6.25]})
    assert answer.headers["Content-Type"] == "application/json"


async def test_an_example_overrides_the_context(client: Client) -> None:
    body = {"context": {"weight": 0.5}, **BODY}
    assert (await regress(client, "m", body)).json == {"results": [0.75, 6.25]}


async def test_an_unknown_signature(client: Client) -> None:
    answer = await regress(client, "m", {"signature_name": "other", **BODY})
    message = "No signature was found with the name: other"
    assert (answer.status, answer.error) == (400, message)


async def test_a_signature_for_something_else(client: Client) -> None:
    answer = await regress(client, "m", {"signature_name": "labels", **BODY})
    assert answer.status == 400
    assert answer.error


async def test_predict_takes_what_regress_does_not(client: Client) -> None:
    # Examples in an array body are a mistake that predict must name as its own.
    answer = await client.predict("m", BODY)
    assert answer.status == 400
    assert answer.error.startswith("Missing 'inputs' or 'instances' key")


async def test_method_names_count_only_when_asked(tmp_path: Path) -> None:
    fake = regressor()
    fake.method_name = "tensorflow/serving/classify"
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        assert (await regress(client, "m", BODY)).status == 200
    checked = {"enable_signature_method_name_check": True}
    async with serving_fakes(tmp_path, {"m": fake, "right": regressor()}, **checked) as client:
        assert (await regress(client, "m", BODY)).status == 400
        assert (await regress(client, "right", BODY)).status == 200


@pytest.mark.tf
async def test_a_model_of_tensorflow(
    repository: Repository, tensorflow_backend: TensorFlowBackend
) -> None:
    root = repository(m=parses_examples)
    settings = Settings.model_validate({"models": {"m": {"base_path": str(root / "m")}}})
    async with serving(settings, tensorflow_backend) as client:
        answer = await regress(client, "m", {"signature_name": "regress", **BODY})
        assert answer.json == {"results": [1.5, 6.25]}
