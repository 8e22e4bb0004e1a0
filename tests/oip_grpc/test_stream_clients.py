"""ModelStreamInfer with Triton's clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import tritonclient.grpc as sync
from tritonclient.utils import InferenceServerException

from tests.gateway.fake_backend import FakeSignature
from tests.oip_grpc.serving import serving_oip, x


async def test_the_synchronous_client(tmp_path: Path) -> None:
    seen: list[tuple[Any, InferenceServerException | None]] = []

    def ask(address: str) -> None:
        with sync.InferenceServerClient(address) as client:
            client.start_stream(lambda result, error: seen.append((result, error)))
            for i in (1, -1, 3):
                client.async_stream_infer(
                    "m", [x(i)], request_id=str(i), enable_empty_final_response=True
                )
            client.stop_stream()

    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        await asyncio.to_thread(ask, door.address)

    (first, none), (nothing, error), (third, _) = seen
    assert (none, nothing) == (None, None)
    assert first.as_numpy("y").tolist() == [2]
    assert error is not None
    assert error.message() == "[request id: -1] x must not be negative"
    assert third.as_numpy("y").tolist() == [6]
    assert third.get_response().id == "3"


async def test_the_asyncio_client(tmp_path: Path) -> None:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        for i in range(5):
            yield {"model_name": "m", "inputs": [x(i)], "request_id": str(i)}

    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        found = []
        async for result, error in door.client.stream_infer(requests()):
            assert error is None
            found.append((result.get_response().id, result.as_numpy("y").tolist()))

    assert found == [(str(i), [2 * i]) for i in range(5)]
