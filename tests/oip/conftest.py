"""Fixtures of the protocol's tests. They run on uvloop, as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.http as blocking
import tritonclient.http.aio as nonblocking

from tests.gateway.conftest import (
    _nothing_blocks_the_loop,
    exported,
    pytest_asyncio_loop_factories,
    repository,
    tensorflow_backend,
)
from tests.gateway.serving import Client
from tests.oip.contents import CONTENTS
from tests.oip.models import serving_oip
from tests.oip.triton_http import Ask

__all__ = [
    "_nothing_blocks_the_loop",
    "exported",
    "pytest_asyncio_loop_factories",
    "repository",
    "tensorflow_backend",
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """Of a gateway with the models of ``CONTENTS``."""
    models = {"v": {"model_version_policy": "all"}}
    async with serving_oip(tmp_path, CONTENTS, models=models) as client:
        yield client


@pytest.fixture(params=["blocking", "asyncio"])
async def ask(request: pytest.FixtureRequest, client: Client) -> AsyncIterator[Ask]:
    """Calls methods of one of Triton's clients."""
    url = f"127.0.0.1:{client.port}"
    if request.param == "asyncio":
        async with nonblocking.InferenceServerClient(url) as triton:

            async def call(method: str, *arguments: Any, **options: Any) -> Any:
                return await getattr(triton, method)(*arguments, **options)

            yield call
        return

    def run(method: str, arguments: Any, options: Any) -> Any:
        # All of it on one thread: it uses greenlets.
        with blocking.InferenceServerClient(url) as triton:
            return getattr(triton, method)(*arguments, **options)

    async def call_on_thread(method: str, *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(run, method, arguments, options)

    yield call_on_thread
