"""Which version answers, and what is said about versions that do not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.backends.base import Tensors
from gateway.errors import Code, ServingError
from tests.gateway.fake_backend import Content, FakeSignature, Function, Outputs
from tests.gateway.serving import Client, serving_fakes


def times(factor: float) -> Function:
    def run(inputs: Tensors) -> Outputs:
        return {"y": inputs["x"] * factor}

    return run


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    contents: dict[str, Content] = {
        "m/2": FakeSignature(times(2)),
        "m/00000010": FakeSignature(times(10)),
        "other": {"serving_default": FakeSignature(), "thrice": FakeSignature(times(3))},
        "broken/7": ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged"),
    }
    for name in ("_packages", "12a", ".13", "-14"):
        (tmp_path / "m" / name).mkdir(parents=True)
    (tmp_path / "m" / "99").write_text("a file is no version")
    async with serving_fakes(tmp_path, contents) as client:
        yield client


@pytest.mark.parametrize("model", ["m", "m/versions/10", "m/versions/0010"])
async def test_the_highest_version_is_served(client: Client, model: str) -> None:
    assert (await client.predict(model, {"instances": [1]})).json == {"predictions": [10.0]}


@pytest.mark.parametrize(
    ("model", "status", "message"),
    [
        ("nobody", 404, "Servable not found for request: Latest(nobody)"),
        ("m/versions/3", 404, "Servable not found for request: Specific(m, 3)"),
        ("nobody/versions/3", 404, "Servable not found for request: Specific(nobody, 3)"),
        ("m/labels/stable", 400, "Unrecognized servable version label: stable"),
        ("broken", 404, "Servable not found for request: Latest(broken)"),
        (
            "m/versions/9223372036854775808",
            400,
            "Model version is beyond the 64-bit range: 9223372036854775808",
        ),
    ],
)
async def test_what_is_not_served(client: Client, model: str, status: int, message: str) -> None:
    answer = await client.predict(model, {"instances": [1]})
    assert (answer.status, answer.error) == (status, message)


async def test_signatures_by_name(client: Client) -> None:
    body = {"signature_name": "thrice", "instances": [1]}
    assert (await client.predict("other", body)).json == {"predictions": [3.0]}
    body["signature_name"] = ""
    assert (await client.predict("other", body)).json == {"predictions": [2.0]}
    body["signature_name"] = "fourfold"
    answer = await client.predict("other", body)
    message = 'Serving signature name: "fourfold" not found in signature def'
    assert (answer.status, answer.error) == (400, message)


async def test_json_is_looked_at_before_the_model_and_values_last(client: Client) -> None:
    assert (await client.predict("nobody", b"{")).status == 400
    assert (await client.predict("nobody", {"instances": "no list"})).status == 404
    body = {"signature_name": "fourfold", "instances": "no list"}
    assert "fourfold" in (await client.predict("other", body)).error


OK = {"error_code": "OK", "error_message": ""}


@pytest.mark.parametrize("path", ["m", "m/versions/10", "m/labels/any"])
async def test_status(client: Client, path: str) -> None:
    answer = await client.get(f"/v1/models/{path}")
    state = {"version": "10", "state": "AVAILABLE", "status": OK}
    assert (answer.status, answer.json) == (200, {"model_version_status": [state]})


async def test_status_of_a_version_that_did_not_load(client: Client) -> None:
    answer = await client.get("/v1/models/broken")
    why = {"error_code": "DATA_LOSS", "error_message": "its saved_model.pb is damaged"}
    state = {"version": "7", "state": "END", "status": why}
    assert (answer.status, answer.json) == (200, {"model_version_status": [state]})


async def test_a_broken_highest_version_leaves_the_next_one_serving(tmp_path: Path) -> None:
    damaged = ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged")
    contents: dict[str, Content] = {"m/3": damaged, "m/2": FakeSignature(times(2)), "m/1": damaged}
    async with serving_fakes(tmp_path, contents) as client:
        assert (await client.predict("m", {"instances": [1]})).json == {"predictions": [2.0]}
        assert (await client.get("/readyz")).status == 200
        states = (await client.get("/v1/models/m")).json["model_version_status"]
        found = [(s["version"], s["state"], s["status"]["error_code"]) for s in states]
        assert found == [("3", "END", "DATA_LOSS"), ("2", "AVAILABLE", "OK")]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nobody", "Could not find any versions of model nobody"),
        ("m/versions/3", "Could not find version 3 of model m"),
    ],
)
async def test_status_of_what_there_is_not(client: Client, path: str, message: str) -> None:
    answer = await client.get(f"/v1/models/{path}")
    assert (answer.status, answer.error) == (404, message)


@pytest.mark.parametrize("path", ["other", "other/versions/1"])
async def test_metadata(client: Client, path: str) -> None:
    answer = await client.get(f"/v1/models/{path}/metadata")
    assert answer.status == 200
    assert answer.json["model_spec"] == {"name": "other", "signature_name": "", "version": "1"}
    assert list(answer.json["metadata"]) == ["signature_def"]
    signatures = answer.json["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default", "thrice"]


async def test_metadata_of_what_there_is_not(client: Client) -> None:
    answer = await client.get("/v1/models/nobody/metadata")
    message = "Servable not found for request: Latest(nobody)"
    assert (answer.status, answer.error) == (404, message)


async def test_a_name_is_percent_decoded(tmp_path: Path) -> None:
    async with serving_fakes(tmp_path, {"mein modell": FakeSignature()}) as client:
        answer = await client.predict("mein%20modell", {"instances": [1]})
        assert answer.json == {"predictions": [2.0]}
