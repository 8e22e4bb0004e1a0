"""Tensors as raw bytes through HTTP, beside JSON on the same connection."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import serving_fakes

OCTETS = "application/octet-stream"
TENSOR = {"Content-Type": OCTETS, "X-Tensor-Dtype": "float32", "X-Tensor-Shape": "3"}
ROWS = np.array([1.0, 2.0, 3.0], np.float32)


@pytest.mark.parametrize("hot_path", [True, False])
async def test_raw_in_and_out(tmp_path: Path, hot_path: bool) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}, hot_path=hot_path) as client:
        both = {**TENSOR, "Accept": OCTETS}
        answer = await client.predict("m", ROWS.tobytes(), headers=both)
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == OCTETS
        assert answer.headers["X-Tensor-Name"] == "y"
        assert answer.headers["X-Tensor-Shape"] == "3"
        assert np.frombuffer(answer.body, "<f4").tolist() == [2.0, 4.0, 6.0]
        answer = await client.predict("m", ROWS.tobytes(), headers=TENSOR)
        assert answer.json == {"outputs": [2.0, 4.0, 6.0]}
        answer = await client.predict("m", {"instances": [5.0]}, headers={"Accept": OCTETS})
        assert np.frombuffer(answer.body, "<f4").tolist() == [10.0]
        assert (await client.predict("m", {"instances": [5.0]})).json == {"predictions": [10.0]}


async def test_mistakes_are_told_as_json(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as client:
        answer = await client.predict("m", ROWS.tobytes()[:-1], headers=TENSOR)
        assert answer.status == 400
        assert "12" in answer.error
        half = {"Content-Type": OCTETS, "X-Tensor-Dtype": "float32"}
        answer = await client.predict("m", ROWS.tobytes(), headers=half)
        assert answer.status == 400
        assert "X-Tensor-Shape" in answer.error


async def test_json_may_call_itself_octets(tmp_path: Path) -> None:
    """TF Serving does not look at the Content-Type."""
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as client:
        body = json.dumps({"instances": [1.0]}).encode()
        answer = await client.predict("m", body, headers={"Content-Type": OCTETS})
        assert answer.json == {"predictions": [2.0]}
