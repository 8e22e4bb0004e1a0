"""The repository index, and what clients ask to be loaded and unloaded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tritonclient.http.aio as triton

from gateway.errors import Code, ServingError, not_found
from gateway.oip.repository import Repository
from tests.gateway.serving import Client
from tests.oip.models import identity, serving_oip

BROKEN = ServingError(Code.INVALID_ARGUMENT, "its graph is damaged")


class Control:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.looked = False

    async def load(self, name: str, config: Mapping[str, Any] | None) -> None:
        self.asked.append(("load", name, config))
        if name == "nobody":
            raise not_found("failed to load 'nobody', failed to poll from model repository")

    async def unload(self, name: str, *, unload_dependents: bool) -> None:
        self.asked.append(("unload", name, unload_dependents))

    async def look(self) -> None:
        self.looked = True

    def index(self) -> Iterable[tuple[str, str]]:
        return [("resting", "unloaded")] if self.looked else []


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
async def client(tmp_path: Path, control: Control) -> AsyncIterator[Client]:
    contents = {"good/1": identity("FP32"), "good/3": identity("FP32"), "bad": BROKEN}
    models = {"good": {"model_version_policy": "all"}}
    async with serving_oip(tmp_path, contents, models=models) as client:
        client.gateway.oip._repository = Repository(client.gateway.registry, control)
        yield client


@pytest.fixture
async def api(client: Client) -> AsyncIterator[triton.InferenceServerClient]:
    async with triton.InferenceServerClient(f"127.0.0.1:{client.port}") as api:
        yield api


async def load(client: Client, body: Any, name: str = "good", call: str = "load") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.ask("POST", f"/v2/repository/models/{name}/{call}", data=data)


def row(name: str, version: str, state: str, reason: str = "") -> dict[str, str]:
    return {"name": name, "version": version, "state": state, "reason": reason}


async def test_the_index(client: Client) -> None:
    every = [
        row("good", "1", "READY"),
        row("good", "3", "READY"),
        row("bad", "1", "UNAVAILABLE", "its graph is damaged"),
        row("resting", "", "UNAVAILABLE", "unloaded"),
    ]
    for body in (b"", b" ", b"{}", b'{"ready":false}'):
        answer = await client.ask("POST", "/v2/repository/index", data=body)
        assert answer.json == every
    answer = await client.ask("POST", "/v2/repository/index", data=b'{"ready":true}')
    assert answer.json == every[:2]
    assert (await client.ask("POST", "/v2/repository/index", data=b'{"ready":1}')).status == 400
    assert (await client.ask("POST", "/v2/repository/index", data=b"[]")).status == 400


async def test_a_server_with_a_broken_model_is_not_ready(client: Client) -> None:
    answer = await client.get("/v2/health/ready")
    assert (answer.status, answer.json) == (400, {"live": True, "ready": False})
    answer = await client.get("/v2/models/bad/ready")
    assert (answer.status, answer.json) == (400, {"name": "bad", "ready": False})
    answer = await client.get("/v2/models/bad")
    assert (answer.status, answer.error) == (
        404,
        "Request for unknown model: 'bad' has no available versions",
    )


async def test_load_and_unload(api: triton.InferenceServerClient, control: Control) -> None:
    await api.load_model("a b")
    await api.load_model("good", config='{"max_batch_size": 4}')
    await api.unload_model("good")
    await api.unload_model("good", unload_dependents=True)
    assert control.asked == [
        ("load", "a b", None),
        ("load", "good", {"max_batch_size": 4}),
        ("unload", "good", False),
        ("unload", "good", True),
    ]


async def test_loads_that_fail(client: Client) -> None:
    answer = await load(client, b"", "nobody")
    assert (answer.status, answer.error) == (
        404,
        "failed to load 'nobody', failed to poll from model repository",
    )


MISTAKES: dict[str, tuple[str, Any, str]] = {
    "files": ("load", {"parameters": {"file:1/model.py": "eA=="}}, "model files cannot be sent"),
    "unknown": ("load", {"parameters": {"x": 1}}, 'unknown parameter "x"; expected config'),
    "config is an object": ("load", {"parameters": {"config": {}}}, "config must be a JSON text"),
    "config is no JSON": ("load", {"parameters": {"config": "{"}}, "parameter config: JSON Parse"),
    "config is a list": ("load", {"parameters": {"config": "[]"}}, "parameter config: "),
    "parameters": ("load", {"parameters": []}, "parameters must be an object"),
    "dependents": ("unload", {"parameters": {"unload_dependents": 1}}, "must be true or false"),
    "config on unload": ("unload", {"parameters": {"config": "{}"}}, 'unknown parameter "config"'),
    "no JSON": ("unload", b"{", "JSON Parse error"),
    "lone surrogate": ("load", {"parameters": {"config": "\ud800"}}, "surrogate"),
}


@pytest.mark.parametrize(("call", "body", "message"), MISTAKES.values(), ids=MISTAKES)
async def test_what_cannot_be_obeyed_is_refused(
    client: Client, control: Control, call: str, body: Any, message: str
) -> None:
    answer = await load(client, body, call=call)
    assert (answer.status, message in answer.error) == (400, True), answer.error
    assert not control.asked
