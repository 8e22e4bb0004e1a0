"""Fixtures of the gRPC tests. They run on uvloop, as the server does."""

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


@pytest.fixture(autouse=True, scope="session")
def _grpc_stays_up() -> Iterator[None]:
    """gRPC joins its thread when its last object is gone, which would block the loop of a test."""
    asyncio.run(_init())
    yield
    grpc.aio.shutdown_grpc_aio()


async def _init() -> None:
    grpc.aio.init_grpc_aio()
