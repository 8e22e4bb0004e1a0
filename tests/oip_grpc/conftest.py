"""Fixtures of the tests over gRPC. They run on uvloop, as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import grpc
import pytest

from tests.gateway.conftest import (
    _nothing_blocks_the_loop,
    exported,
    pytest_asyncio_loop_factories,
    repository,
    tensorflow_backend,
)

__all__ = [
    "_nothing_blocks_the_loop",
    "exported",
    "pytest_asyncio_loop_factories",
    "repository",
    "tensorflow_backend",
]


@pytest.fixture(scope="session", autouse=True)
def _grpc_stays_up() -> Iterator[None]:
    """gRPC stops its thread with the last object of it, wherever that is: also on the loop."""
    asyncio.run(_init())
    yield
    grpc.aio.shutdown_grpc_aio()


async def _init() -> None:
    grpc.aio.init_grpc_aio()
