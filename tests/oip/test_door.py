"""What HTTP has to do with it: paths, encodings, CORS, draining, metrics, unexpected errors."""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ServingError
from gateway.http.oip.compression import choose_encoding, compress
from gateway.http.oip.paths import Target, is_oip_path, parse_path
from gateway.models.versions import State
from tests.gateway.serving import Client
from tests.oip.models import attempt, identity, infer, json_input, serving_oip

BODY: dict[str, Any] = {"inputs": [json_input("x", np.ones(1, np.float32), "FP32")]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving_oip(tmp_path, {"m": identity("FP32")}) as client:
        yield client


PATHS = {
    ("GET", "/v2"): Target("ServerMetadata"),
    ("GET", "/v2/"): Target("ServerMetadata"),
    ("HEAD", "/v2/health/live"): Target("ServerLive"),
    ("GET", "/v2/models/stats"): Target("ModelStatistics"),
    ("GET", "/v2/models/m"): Target("ModelMetadata", model="m"),
    ("GET", "/v2/models/a%20b%2Fc?x=1"): Target("ModelMetadata", model="a b/c"),
    ("GET", "/v2/models/m?signature_name=s%26"): Target(
        "ModelMetadata", model="m", signature_name="s&"
    ),
    ("POST", "/v2/models/m/versions/12/infer"): Target("ModelInfer", model="m", version="12"),
    ("GET", "/v2/models/m/versions/12/stats"): Target("ModelStatistics", model="m", version="12"),
    ("POST", "/v2/trace/setting"): Target("TraceSettingUpdate"),
    ("GET", "/v2/models/m/trace/setting"): Target("TraceSetting", model="m"),
    ("POST", "/v2/repository/models/m/load"): Target("RepositoryModelLoad", model="m"),
    ("POST", "/v2/systemsharedmemory/region/a%2Fb/register"): Target(
        "SystemSharedMemoryRegister", region="a/b"
    ),
    ("DELETE", "/v2/logging"): Target("", ("GET", "POST")),
    ("GET", "/v2/repository/index"): Target("", ("POST",)),
}


@pytest.mark.parametrize(("line", "target"), PATHS.items(), ids=map(" ".join, PATHS))
def test_paths(line: tuple[str, str], target: Target) -> None:
    assert parse_path(*line) == target


@pytest.mark.parametrize(
    "path",
    ["/v2/x", "/v2//", "/v2/models", "/v2/models/a/b", "/v2/models/m/versions/-1", "/V2",
     "/v2/models/m/versions/1e3/infer", "/v2/models/m/infer/", "/v2/models/m/versions/٣"],
)  # fmt: skip
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ServingError, match="Not found"):
        parse_path("GET", path)


@given(st.text(max_size=60))
def test_any_path_is_taken_or_refused(path: str) -> None:
    found = attempt(lambda: parse_path("GET", "/v2/" + path))
    if isinstance(found, ServingError):
        assert found.message.startswith("Not found: /v2/")
    else:
        assert found.call


def test_whose_paths_are_whose() -> None:
    assert is_oip_path("/v2")
    assert is_oip_path("/v2?x")
    assert is_oip_path("/v2/x")
    assert not is_oip_path("/v20")
    assert not is_oip_path("/v1/v2/")


ENCODINGS = {
    "": "",
    "identity": "",
    "gzip": "gzip",
    "deflate": "deflate",
    "gzip, deflate": "gzip",
    "deflate, gzip": "gzip",
    "br, deflate;q=0.5, gzip; q=0.1": "deflate",
    "gzip;q=0, deflate": "deflate",
    "gzip;q=0": "",
    "GZIP": "gzip",
    "gzip;q=nan": "",
    "gzip;q=2": "",
    "*": "",
    ",;,": "",
}


@pytest.mark.parametrize(("header", "expected"), ENCODINGS.items())
def test_the_encoding_that_a_client_prefers(header: str, expected: str) -> None:
    assert choose_encoding(header) == expected


@given(st.binary(max_size=2000))
def test_what_is_compressed_comes_back(body: bytes) -> None:
    assert gzip.decompress(compress(body, "gzip")) == body
    assert zlib.decompress(compress(body, "deflate")) == body


async def test_cors(tmp_path: Path) -> None:
    options = {"rest_api_enable_cors_support": True}
    async with serving_oip(tmp_path, {"m": identity("FP32")}, **options) as client:
        answer = await client.get("/v2/models/m")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        headers = {"Origin": "https://example.com"}
        answer = await client.ask("OPTIONS", "/v2/models/m/infer", headers=headers)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")


async def test_a_server_that_drains(client: Client) -> None:
    client.gateway.router.draining = True
    answer = await client.get("/v2/health/ready")
    assert (answer.status, answer.json) == (400, {"live": True, "ready": False})
    answer = await client.get("/v2/health/live")
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    await client.gateway.drain()
    answer = await infer(client, "m", BODY)
    assert (answer.status, "takes no more requests" in answer.error) == (503, True)


async def test_a_model_that_loads(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": identity("FP32")}) as client:
        entry = client.gateway.registry.models["m"]
        entry.versions[1].servable = entry.latest = entry.undivided = None
        entry.versions[1].state = State.LOADING
        answer = await infer(client, "m", BODY)
        assert (answer.status, "being loaded" in answer.error) == (503, True)
        assert "Retry-After" in answer.headers
        assert (await client.get("/v2/models/m/ready")).status == 400


async def test_every_call_is_counted(client: Client) -> None:
    await infer(client, "m", BODY)
    await infer(client, "m", {})
    await infer(client, "nobody", BODY)
    await client.get("/v2/health/live")
    name = "tensorgate_requests_total"
    labels = {"model": "m", "api": "ModelInfer"}
    assert await client.metric(name, **labels, code="200") == 1
    assert await client.metric(name, **labels, code="400") == 1
    assert await client.metric(name, model="", api="ModelInfer", code="404") == 1
    assert await client.metric(name, api="ServerLive", code="200") == 1


async def test_an_error_that_nobody_expected_tells_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(client.gateway.oip, "server_live", fail)
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/v2/health/live")
    assert (answer.status, answer.error) == (500, "internal error")
    assert "/secret/path" in caplog.text


async def test_observers_see_the_requests(client: Client) -> None:
    """Request log and shadow take them for predict requests."""
    seen: list[Any] = []
    client.gateway.observers.append(seen.append)
    answer = await infer(client, "m/versions/1", BODY)
    await infer(client, "m", {"inputs": []})
    first, second = seen[0], seen[1:]
    assert (first.api, first.pinned, first.error) == ("predict", True, None)
    assert first.response_body == answer.body
    np.testing.assert_array_equal(first.inputs["x"], [1])
    assert not second


async def test_pages_keep_their_paths(tmp_path: Path) -> None:
    options = {"monitoring_path": "/v2/metrics"}
    async with serving_oip(tmp_path, {"m": identity("FP32")}, **options) as client:
        assert (await client.get("/v2/metrics")).status == 200


def test_the_core_needs_no_transport() -> None:
    """What both doors use imports neither of them, nor TensorFlow."""
    code = (
        "import sys, gateway.oip.service, gateway.oip.request_json\n"
        "print([name for name in ('aiohttp', 'grpc', 'tensorflow') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
