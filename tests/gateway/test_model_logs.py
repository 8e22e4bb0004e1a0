"""Request logs follow the configuration: opened, kept, replaced, released, or left as they were."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, Settings
from gateway.request_log import RequestLog
from gateway.request_log.models import ModelLogs
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import serving_fakes


def settings_of(**models: dict[str, Any]) -> Settings:
    tables = {name: {"base_path": f"/models/{name}", **model} for name, model in models.items()}
    return Settings.model_validate({"models": tables})


def logged(path: Path) -> dict[str, str]:
    return {"request_log": str(path)}


async def test_logs_come_and_go_with_the_models(tmp_path: Path) -> None:
    log = RequestLog()
    logs = ModelLogs(log)
    await logs.change(settings_of(a=logged(tmp_path / "a"), b={}))
    assert log.in_use
    assert (tmp_path / "a").exists()
    await logs.change(settings_of(b=logged(tmp_path / "b")))
    assert (tmp_path / "b").exists()
    await logs.change(settings_of(b={}))
    assert not log.in_use
    assert await asyncio.to_thread(log.close, 5.0)


async def test_a_log_that_stays_the_same_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RequestLog()
    logs = ModelLogs(log)
    await logs.change(settings_of(a=logged(tmp_path / "a")))
    monkeypatch.setattr(log, "open", lambda *_: pytest.fail("opened again"))
    changed = settings_of(a={**logged(tmp_path / "a"), "max_batch_size": 8})
    await logs.change(changed)
    assert await asyncio.to_thread(log.close, 5.0)


async def test_one_that_cannot_be_written_leaves_all_as_they_were(tmp_path: Path) -> None:
    backend = {"a": FakeSignature(), "b": FakeSignature()}
    async with serving_fakes(
        tmp_path / "models", backend, models={"a": logged(tmp_path / "a")}
    ) as client:
        gateway = client.gateway
        await gateway.open_request_logs()
        tables = {
            "a": {"base_path": str(tmp_path / "models/a"), **logged(tmp_path / "elsewhere")},
            "b": {"base_path": str(tmp_path / "models/b"), **logged(tmp_path)},
        }
        refused = gateway.settings.model_copy(
            update={"models": Settings.model_validate({"models": tables}).models}
        )
        with pytest.raises(ConfigError, match="model b: request_log"):
            await gateway.apply(refused)
        await client.predict("a", {"instances": [1.0]})
        await client.predict("b", {"instances": [1.0]})
        await gateway.close_request_logs(5.0)
    (line,) = (tmp_path / "a").read_text().splitlines()
    assert json.loads(line)["response"] == {"predictions": [2.0]}
    assert (tmp_path / "elsewhere").read_text() == ""


async def test_what_was_logged_is_counted(tmp_path: Path) -> None:
    models = {"a": logged(tmp_path / "a")}
    async with serving_fakes(tmp_path / "models", {"a": FakeSignature()}, models=models) as client:
        await client.gateway.open_request_logs()
        await client.predict("a", {"instances": [1.0]})
        await client.predict("a", {"instances": [-1.0]})
        await client.gateway.close_request_logs(5.0)
        name = "tensorgate_request_log_entries_total"
        assert await client.metric(name, model="a", result="written") == 2
        text = (await client.get("/monitoring/prometheus/metrics")).body.decode()
    assert 'request_log_count{model_name="a",status_code="OK"} 1' in text
    assert 'request_log_count{model_name="a",status_code="INVALID_ARGUMENT"} 1' in text
