"""What the model itself refuses: the client learns why, and nothing of TensorFlow's insides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.backends.tensorflow import TensorFlowBackend
from gateway.config.settings import Settings
from tests import saved_models
from tests.gateway.conftest import Repository
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import Client, serving

pytestmark = pytest.mark.tf

MODELS = {
    "picky": saved_models.picky,
    "multi": saved_models.several_inputs_and_outputs,
    "text": saved_models.strings,
    "matrix": saved_models.broadcast_matmul,
    "lengths": saved_models.variable_length,
    "old": saved_models.tf1_export,
}


@pytest.fixture
async def client(
    repository: Repository, tensorflow_backend: TensorFlowBackend
) -> AsyncIterator[Client]:
    root = repository(**MODELS)
    tables = {name: {"base_path": str(root / name)} for name in MODELS}
    settings = Settings.model_validate({"models": tables, "warmup": False})
    async with serving(settings, tensorflow_backend) as client:
        yield client


@pytest.mark.parametrize(
    ("model", "body", "part"),
    [
        ("picky", {"instances": [4, -1]}, "x must be >= 0"),
        ("text", {"signature_name": "number", "inputs": ["1", "one"]}, "one"),
        # TensorFlow quotes the bytes, which are no text: its own message cannot be decoded.
        ("text", {"signature_name": "number", "inputs": [{"b64": "/w=="}]}, ""),
        ("multi", {"inputs": {"a": [1, 2], "b": [[1, 2]] * 3, "s": ["a"] * 3}}, ""),
        ("multi", {"inputs": {"a": [1], "b": [1, 2], "s": ["a"]}}, ""),
        ("multi", {"inputs": {"a": 1, "b": 1, "s": "a"}}, ""),
        ("lengths", {"inputs": [1, 2]}, ""),
        ("lengths", {"inputs": 3}, ""),
        ("matrix", {"inputs": [[[[1, 2, 3]]]]}, ""),
        ("matrix", {"inputs": [1, 2]}, ""),
        ("text", {"signature_name": "first", "inputs": []}, ""),
        ("old", {"signature_name": "twins", "inputs": {"a": [1], "b": [2]}}, '"a" and "b"'),
    ],
)
async def test_a_refusal(client: Client, model: str, body: Any, part: str) -> None:
    answer = await client.predict(model, body)
    assert answer.status == 400
    assert part in harmless_error(answer)


async def test_one_refused_request_among_31(client: Client) -> None:
    values = [1.1 + 0.37 * n for n in range(32)]
    alone = [(await client.predict("picky", {"instances": [value]})).body for value in values]
    values[11] = -5.0
    answers = await asyncio.gather(
        *[client.predict("picky", {"instances": [value]}) for value in values]
    )
    assert (answers[11].status, "x must be >= 0" in harmless_error(answers[11])) == (400, True)
    others = [n for n in range(32) if n != 11]
    assert [answers[n].body for n in others] == [alone[n] for n in others]
