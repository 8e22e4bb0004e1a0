"""URLs and methods: TensorFlow Serving's rules below /v1/, plain 404 elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from yarl import URL

from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import Answer, Client, serving_fakes

BODY = b'{"instances":[1]}'


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving_fakes(tmp_path, {"m": FakeSignature()}) as client:
        yield client


async def ask(client: Client, method: str, path: str, data: bytes | None = None) -> Answer:
    """Sends ``path`` to the letter."""
    url = URL(client.url + path, encoded=True)
    async with client.session.request(method, url, data=data) as response:
        return Answer(response.status, await response.read(), response.headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/m:explain"),
        ("POST", "/v1/models/m:PREDICT"),
        ("POST", "/v1/models/m"),
        ("POST", "/v1/models/m/predict"),
        ("POST", "/v1/models/m:predict/"),
        ("POST", "/v1/models/m:predict?x=1"),
        ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models/m/versions/:predict"),
        ("POST", "/v1/models/m/versions/1.5:predict"),
        ("POST", "/v1/models/m/versions/-1:predict"),
        ("POST", "/v1/models/m/versions/1/labels/a:predict"),
        ("POST", "/v1/other"),
        ("GET", "/v1/models/m:predict"),
        ("GET", "/v1/models/m/versions"),
        ("GET", "/v1/models/m/versions/x"),
        ("GET", "/v1/models/m/metadata/x"),
        ("GET", "/v1/models/m/metadata?x=1"),
        ("GET", "/v1/models/m/versions/1?x=1"),
        ("GET", "/v1/models?x=1"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/m/"),
        ("GET", "/v1/models/m/labels/"),
        ("GET", "/v1/models/m/labels/a/versions/1"),
        ("GET", "/v1/models/m/metadata/metadata"),
        ("POST", "/v1/models/m/metadata"),
        ("POST", "/v1/models/m/labels/a/b:predict"),
        ("POST", "/v1/models/m:classify?x=1"),
        ("POST", "/v1/models"),
        ("HEAD", "/v1/models/m"),
        ("GET", "/v1/"),
        ("PUT", "/v1/models/m:predict"),
        ("DELETE", "/v1/models/m"),
        ("PATCH", "/v1/models/m:predict"),
    ],
)
async def test_malformed(client: Client, method: str, path: str) -> None:
    answer = await ask(client, method, path, BODY if method == "POST" else None)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
    if method != "HEAD":
        assert answer.error == f"Malformed request: {method} {path}"


@pytest.mark.parametrize("path", ["/versions/1", "/labels/a", "/versions/1/metadata"])
async def test_a_name_is_missing(client: Client, path: str) -> None:
    answer = await client.get(f"/v1/models{path}")
    assert (answer.status, answer.error) == (400, "Missing model name in request.")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/m",
        "/V1/modelS/m/METADATA",
        "/v1/models/m/Versions/1",
        "/v1/models/m/versions/1/metadata",
        "/v1/models/m/labels/any",
        "/v1/models/%6D",
        "/v1/models/m/versions/0001",
    ],
)
async def test_descriptions(client: Client, path: str) -> None:
    answer = await ask(client, "GET", path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert next(iter(answer.json)) in ("model_version_status", "model_spec")


@pytest.mark.parametrize("name", ["versions", "labels", "metadata", "models"])
async def test_a_model_may_be_called_like_a_part_of_a_path(client: Client, name: str) -> None:
    answer = await client.get(f"/v1/models/{name}")
    message = f"Could not find any versions of model {name}"
    assert (answer.status, answer.error) == (404, message)


async def test_a_query_string_is_taken_for_part_of_the_name(client: Client) -> None:
    answer = await ask(client, "GET", "/v1/models/m?x=1")
    message = "Could not find any versions of model m?x=1"
    assert (answer.status, answer.error) == (404, message)


@pytest.mark.parametrize("model", ["M", "n", "m%2Fx", "m%3Ax"])
async def test_names_are_compared_to_the_letter(client: Client, model: str) -> None:
    answer = await ask(client, "POST", f"/v1/models/{model}:predict", BODY)
    message = f"Servable not found for request: Latest({unquote(model)})"
    assert (answer.status, answer.error) == (404, message)


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("1", 200),
        ("0" * 5000 + "1", 200),
        ("9223372036854775807", 404),
        ("9223372036854775808", 400),
        ("0" * 100 + "9223372036854775808", 400),
        ("9" * 5000, 400),
    ],
)
async def test_versions_are_int64(client: Client, version: str, status: int) -> None:
    for method, end, body in (("POST", ":predict", BODY), ("GET", "", None)):
        answer = await ask(client, method, f"/v1/models/m/versions/{version}{end}", body)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/json"
        if status == 400:
            message = f"Model version is beyond the 64-bit range: {version[:40]}"
            assert answer.error == message


async def test_labels_are_decoded(client: Client) -> None:
    answer = await ask(client, "POST", "/v1/models/m/labels/my%20label:predict", BODY)
    message = "Unrecognized servable version label: my label"
    assert (answer.status, answer.error) == (400, message)


@pytest.mark.parametrize("path", ["/V1/MODELS/m:predict", "/v1/Models/m/Versions/1:predict"])
async def test_all_but_names_and_verbs_is_case_insensitive(client: Client, path: str) -> None:
    answer = await ask(client, "POST", path, BODY)
    assert answer.json == {"predictions": [2.0]}


@pytest.mark.parametrize("path", ["/", "/v1", "/v3/health/ready", "/favicon.ico", "/metrics/"])
async def test_nothing_elsewhere(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.error) == (404, f"Not found: {path}")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_pages_are_for_reading(client: Client, path: str) -> None:
    answer = await ask(client, "POST", path, b"")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.error == f"{path} answers GET only"
    head = await ask(client, "HEAD", path)
    assert (head.status, head.body) == (200, b"")


async def test_content_type_is_ignored(client: Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await client.predict("m", BODY, headers=headers)
    assert answer.json == {"predictions": [2.0]}


async def test_an_absolute_request_target_is_understood(client: Client) -> None:
    # RFC 9112, section 3.2.2: a server must accept it, also when it is no proxy.
    target = f"GET {client.url}/v1/models/m HTTP/1.1\r\n".encode()
    answer = await client.raw(target + b"Host: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_a_connection_serves_one_request_after_another(client: Client) -> None:
    request = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n"
    last = request + b"Connection: close\r\n\r\n" + BODY
    answer = await client.raw(request + b"\r\n" + BODY, request + b"\r\n" + BODY + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b'{"predictions":[2.0]}') == 3
