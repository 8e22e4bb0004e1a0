"""§3, URLs: calls, matching rules, what is refused, headers, switches."""

from __future__ import annotations

import gzip
import json
import socket
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.conformance.server import Server

pytestmark = pytest.mark.tf

ROW = b'{"instances":[1]}'
HALF = {"predictions": [2.5]}
ADDS_1, ADDS_2 = {"predictions": [2.0]}, {"predictions": [3.0]}
EXAMPLE = b'{"signature_name":"scores","examples":[{"x":0.25}]}'
REGRESS = b'{"signature_name":"regress","examples":[{"x":0.25}]}'
SCORES = {"results": [[["", 0.75], ["", 0.25]]]}


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        pytest.param("two:predict", ROW, ADDS_2, id="predict, latest"),
        pytest.param("two/versions/1:predict", ROW, ADDS_1, id="predict, version"),
        pytest.param("two/labels/stable:predict", ROW, ADDS_1, id="predict, label"),
        pytest.param("examples:classify", EXAMPLE, SCORES, id="classify, latest"),
        pytest.param("examples/versions/123:classify", EXAMPLE, SCORES, id="classify, version"),
        pytest.param("examples/labels/stable:classify", EXAMPLE, SCORES, id="classify, label"),
        pytest.param("examples/labels/stable:regress", REGRESS, {"results": [0.5]}, id="label"),
        pytest.param("examples:regress", REGRESS, {"results": [0.5]}, id="regress, latest"),
        pytest.param("examples/versions/123:regress", REGRESS, {"results": [0.5]}, id="version"),
        pytest.param("two/versions/0001:predict", ROW, ADDS_1, id="leading zeros of N"),
        pytest.param("%74wo:predict", ROW, ADDS_2, id="NAME is percent-decoded"),
        pytest.param("two/labels/st%61ble:predict", ROW, ADDS_1, id="L is percent-decoded"),
        pytest.param("two/Versions/1:predict", ROW, ADDS_1, id="case-insensitive"),
        pytest.param("two/LABELS/stable:predict", ROW, ADDS_1, id="case-insensitive label"),
    ],
)
def test_inference_calls(server: Server, path: str, body: bytes, answer: Any) -> None:
    found = server.post(path, body)
    assert (found.status, found.json) == (200, answer)
    assert found.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        pytest.param("/v1/models/two", [2, 1], id="status, newest first"),
        pytest.param("/v1/models/two/versions/1", [1], id="status of a version"),
        pytest.param("/v1/models/two/labels/stable", [2, 1], id="the label is ignored"),
        pytest.param("/v1/models/two/labels/no_such_label", [2, 1], id="even an unknown one"),
        pytest.param("/V1/Models/two", [2, 1], id="case-insensitive"),
    ],
)
def test_status_calls(server: Server, path: str, versions: list[int]) -> None:
    answer = server.get(path)
    found = [int(each["version"]) for each in answer.json["model_version_status"]]
    assert (answer.status, found) == (200, versions)


@pytest.mark.parametrize(
    ("place", "version"),
    [("", "2"), ("/versions/1", "1"), ("/labels/stable", "1"), ("/labels/canary", "2")],
)
def test_metadata_calls(server: Server, place: str, version: str) -> None:
    spec = server.get(f"/v1/models/two{place}/metadata").json["model_spec"]
    assert spec == {"name": "two", "signature_name": "", "version": version}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/v1/models/half:explain", id="other verb"),
        pytest.param("POST", "/v1/models/half:PREDICT", id="the verb is compared in lower case"),
        pytest.param("POST", "/v1/models/half:predict?x=1", id="query string"),
        pytest.param("POST", "/v1/models/half", id="POST on status"),
        pytest.param("POST", "/v1/models/half/metadata", id="POST on metadata"),
        pytest.param("GET", "/v1/models/half:predict", id="GET on predict"),
        pytest.param("PUT", "/v1/models/half:predict", id="other method"),
        pytest.param("DELETE", "/v1/models/half", id="no unloading"),
        pytest.param("POST", "/v1/models:reload", id="no reload"),
        pytest.param("GET", "/v1/models/half/versions/x", id="N is digits"),
        pytest.param("GET", "/v1/models/half/versions/-1", id="N has no sign"),
        pytest.param("GET", "/v1/models/half/versions/1/labels/a", id="version and label"),
        pytest.param("GET", "/v1/models/a:b", id="NAME without colon"),
        pytest.param("GET", "/v1/models/half/other", id="other resource"),
        pytest.param("GET", "/v1/anything", id="any other path under /v1/"),
    ],
)
def test_malformed_requests(server: Server, method: str, path: str) -> None:
    answer = server.ask(method, path, ROW if method == "POST" else None)
    assert (answer.status, answer.error) == (400, f"Malformed request: {method} {path}")


@pytest.mark.parametrize("path", ["/", "/v1", "/v3/models/half", "/healthz"])
def test_outside_of_v1(server: Server, path: str) -> None:
    assert server.get(path).status == 404


@pytest.mark.parametrize("path", ["/v1/models/metadata", "/v1/models/versions/1"])
def test_a_name_that_is_missing_or_looks_like_it(server: Server, path: str) -> None:
    """TF Serving's pattern takes ``/v1/models/metadata`` for a model of that name."""
    message = {
        "/v1/models/metadata": (404, "Could not find any versions of model metadata"),
        "/v1/models/versions/1": (400, "Missing model name in request."),
    }[path]
    answer = server.get(path)
    assert (answer.status, answer.error) == message


def test_the_list_of_models(server: Server) -> None:
    """TF Serving answers "Missing model name in request."; here it is a list of all models."""
    answer = server.get("/v1/models")
    assert answer.status == 200
    assert {"half", "two"} <= {model["name"] for model in answer.json["models"]}


@pytest.mark.parametrize("call", [("GET", ""), ("POST", ":predict")])
def test_a_version_beyond_int64(server: Server, call: tuple[str, str]) -> None:
    answer = server.ask(call[0], f"/v1/models/half/versions/9223372036854775808{call[1]}", ROW)
    assert answer.status == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://a.example", 200), ("https://a.example", 200), ("null", 400), (None, 400)],
)
def test_options(server: Server, origin: str | None, status: int) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = server.ask("OPTIONS", "/v1/models/half:predict", headers=headers)
    assert (answer.status, answer.body) == (status, b"")


CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [("OPTIONS", "sleepy:predict"), ("GET", "sleepy"), ("GET", "unknown"), ("POST", "a:predict")],
)
def test_cors_when_it_is_enabled(server: Server, switched: Server, method: str, path: str) -> None:
    headers = {"Origin": "https://a.example"}
    answer = switched.ask(
        method, f"/v1/models/{path}", b"{}" if method == "POST" else None, headers
    )
    assert CORS.items() <= dict(answer.headers).items()
    plain = server.ask(method, f"/v1/models/{path}", b"{}" if method == "POST" else None, headers)
    assert not CORS.keys() & dict(plain.headers).keys()


def test_metrics_at_the_default_path(server: Server) -> None:
    assert server.predict("half", {"instances": [1]}).status == 200
    text = server.get("/monitoring/prometheus/metrics").body.decode()
    assert "# TYPE :tensorflow:serving:request_count counter" in text
    assert ':tensorflow:serving:request_count{model_name="half",status="OK"}' in text


def test_metrics_at_the_configured_path(switched: Server) -> None:
    assert b":tensorflow:serving:request_count" in switched.get("/my/metrics").body
    assert switched.get("/monitoring/prometheus/metrics").status == 404


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_content_type_is_ignored(server: Server, content_type: str) -> None:
    answer = server.post("half:predict", ROW, {"Content-Type": content_type})
    assert answer.json == HALF


def test_gzip_bodies_are_inflated_and_answers_never_compressed(server: Server) -> None:
    headers = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    answer = server.post("half:predict", gzip.compress(ROW), headers)
    assert (answer.status, answer.body) == (200, json.dumps(HALF, separators=(",", ":")).encode())
    assert "Content-Encoding" not in answer.headers


def test_a_body_that_is_not_gzip(server: Server) -> None:
    assert server.post("half:predict", ROW, {"Content-Encoding": "gzip"}).status == 400


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        pytest.param("half", {"outputs": [2.5] * 20_000}, id="that is batched"),
        pytest.param("scalar", {"outputs": 1.0}, id="that is not"),
    ],
)
def test_large_bodies(server: Server, model: str, answer: Any) -> None:
    body = b'{"inputs":[%s]}' % b",".join([b"1"] * 20_000)
    found = server.post(f"{model}:predict", body)
    assert (found.status, found.json) == (200, answer)


def test_connections_are_kept(server: Server) -> None:
    connection = HTTPConnection("127.0.0.1", server.port)
    sockets: set[socket.socket] = set()
    for body in (ROW, b"no JSON", ROW):
        connection.request("POST", "/v1/models/half:predict", body)
        response = connection.getresponse()
        assert response.status == (200 if body == ROW else 400)
        response.read()
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1


@pytest.mark.parametrize("path", ["half", "no_such_model"])
def test_errors_and_answers_are_json(server: Server, path: str) -> None:
    assert server.get(f"/v1/models/{path}").headers["Content-Type"] == "application/json"
