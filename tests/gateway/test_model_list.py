"""GET /v1/models: every configured model, ready or not."""

from __future__ import annotations

from pathlib import Path

from gateway.config.settings import Settings
from gateway.errors import Code, ServingError
from tests.gateway.fake_backend import Content, FakeBackend, FakeSignature
from tests.gateway.serving import folders, serving, serving_fakes

OK = {"error_code": "OK", "error_message": ""}


async def test_models_with_their_versions(tmp_path: Path) -> None:
    contents: dict[str, Content] = {
        "m/3": ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged"),
        "m/2": FakeSignature(),
        "other": FakeSignature(),
        "broken/7": ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged"),
    }
    damaged = {"error_code": "DATA_LOSS", "error_message": "its saved_model.pb is damaged"}
    async with serving_fakes(tmp_path, contents) as client:
        answer = await client.get("/v1/models")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json["configuration"]["error"] == ""
        models = {model["name"]: model for model in answer.json["models"]}
        assert list(models) == ["m", "other", "broken"]
        assert models["m"] == {
            "name": "m",
            "ready": True,
            "versions": [
                {"version": "3", "state": "END", "status": damaged},
                {"version": "2", "state": "AVAILABLE", "status": OK},
            ],
            "labels": {},
        }
        assert models["other"]["ready"]
        assert not models["broken"]["ready"]


async def test_while_a_model_loads(tmp_path: Path) -> None:
    folders(tmp_path, "m/1")
    settings = Settings.model_validate({"models": {"m": {"base_path": str(tmp_path / "m")}}})
    async with serving(settings, FakeBackend({"m": FakeSignature()}), load=False) as client:
        model = {"name": "m", "ready": False, "versions": [], "labels": {}}
        assert (await client.get("/v1/models")).json["models"] == [model]


async def test_labels_with_their_weights(tmp_path: Path) -> None:
    contents: dict[str, Content] = {"m/1": FakeSignature(), "m/2": FakeSignature()}
    labels = {"stable": 1, "canary": {1: 0.75, 2: 0.25}}
    models = {"m": {"model_version_policy": "all", "version_labels": labels}}
    async with serving_fakes(tmp_path, contents, models=models) as client:
        (model,) = (await client.get("/V1/Models")).json["models"]
        assert model["labels"] == {"stable": {"1": 1.0}, "canary": {"1": 0.75, "2": 0.25}}
