"""--rest_api_enable_cors_support, and what OPTIONS gets without it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import Client, serving_fakes

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
PREDICT = "/v1/models/m:predict"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    cors = {"rest_api_enable_cors_support": True}
    async with serving_fakes(tmp_path, {"m": FakeSignature()}, **cors) as client:
        yield client


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", PREDICT, b'{"instances":[1]}', 200),
        ("POST", PREDICT, b"{", 400),
        ("POST", "/v1/models/nobody:predict", b'{"instances":[1]}', 404),
        ("GET", "/v1/models/m", None, 200),
        ("GET", "/v1/models/m/metadata", None, 200),
        ("GET", "/v1/models", None, 200),
        ("PUT", "/v1/nonsense", None, 400),
        ("GET", "/V1/Models/nobody", None, 404),
    ],
)
async def test_every_answer_of_the_api_allows_it(
    client: Client, plain: Client, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = await client.ask(method, path, data=body)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert HEADERS.items() <= dict(answer.headers).items()
    answer = await plain.ask(method, path, data=body)
    assert not HEADERS.keys() & answer.headers.keys()


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/elsewhere"])
async def test_nothing_beside_the_api_does(client: Client, path: str) -> None:
    assert not HEADERS.keys() & (await client.get(path)).headers.keys()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://example.org"}, 200),
        ({"Origin": "https://example.org:8443"}, 200),
        ({"Origin": "null"}, 400),
        ({"Origin": "ftp://example.org"}, 400),
        ({}, 400),
    ],
)
async def test_preflight(
    client: Client, plain: Client, headers: dict[str, str], status: int
) -> None:
    answer = await client.ask("OPTIONS", PREDICT, headers=headers)
    assert (answer.status, answer.body) == (status, b"")
    assert HEADERS.items() <= dict(answer.headers).items()
    answer = await plain.ask("OPTIONS", PREDICT, headers=headers)
    assert (answer.status, answer.body) == (status, b"")
    assert not HEADERS.keys() & answer.headers.keys()
