"""Every request of the corpus gets the same answer with the hot path and without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Tensors
from tests.gateway.fake_backend import FakeSignature, Outputs
from tests.gateway.serving import PATIENCE_SECONDS, Client, serving_fakes
from tests.hot.corpus import MALFORMED, OTHERS, PLAIN
from tests.hot.requests import LAST, Answer, split_answers

CASES = {**PLAIN, **OTHERS, **MALFORMED}


def _break(inputs: Tensors) -> Outputs:
    raise RuntimeError("/secret/path is broken")


def _complex(inputs: Tensors) -> Outputs:
    return {"y": np.zeros(len(inputs["x"]), np.complex64)}


@pytest.fixture(params=[False, True], ids=["plain", "CORS and timing"])
async def both(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[list[Client]]:
    """A server with the hot path and one without."""
    contents = {
        "m": FakeSignature(),
        "broken": FakeSignature(_break),
        "odd": FakeSignature(_complex),
    }
    options: dict[str, Any] = {"max_queue_rows": 100_000, "batching": "on"}
    # How many rows share a batch is told, and must not depend on how fast they run.
    options["adaptive_batching"] = False
    if request.param:
        options |= {"rest_api_enable_cors_support": True, "server_timing": True}
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                serving_fakes(tmp_path, contents, hot_path=hot, **options)
            )
            for hot in (True, False)
        ]


async def talk(client: Client, data: bytes) -> tuple[list[Answer], bytes]:
    """The answer to ``data``, then to a last request if the connection is still open; and what is
    no whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    received = b""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writer.write(data)
            while not split_answers(received)[0] and (piece := await reader.read(65536)):
                received += piece
            writer.write(LAST)
            while piece := await reader.read(65536):
                received += piece
    except ConnectionError:
        pass
    finally:
        writer.close()
    return split_answers(received)


@pytest.mark.parametrize("name", CASES)
async def test_the_same_answer(both: list[Client], name: str) -> None:
    hot, cold = [await talk(client, CASES[name]) for client in both]
    assert hot == cold
    assert hot[0], "no answer at all"


async def test_the_same_counts(both: list[Client]) -> None:
    """Requests by model, API and status."""
    for client in both:
        for data in PLAIN.values():
            await talk(client, data)
    hot, cold = [await _counts(client) for client in both]
    assert hot == cold
    assert len(hot) > 20


async def _counts(client: Client) -> set[str]:
    found = set()
    for page in ("/metrics", "/monitoring/prometheus/metrics"):
        text = (await client.get(page)).body.decode()
        found |= {line for line in text.splitlines() if "request" in line and "_count" in line}
        found |= {line for line in text.splitlines() if "requests_total" in line}
    return found
