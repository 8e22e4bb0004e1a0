"""Traces of requests, and the switches of the log."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.oip.log_settings import LogSettings
from tests.gateway.serving import Answer, Client
from tests.oip.models import identity, infer, json_input, serving_oip

BODY = {"id": "7", "inputs": [json_input("x", np.ones(1, np.float32), "FP32")]}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving_oip(tmp_path, {"m": identity("FP32"), "n": identity("FP32")}) as client:
        yield client


async def trace(client: Client, settings: Any, model: str = "") -> Answer:
    path = f"/v2/models/{model}/trace/setting" if model else "/v2/trace/setting"
    return await client.ask("POST", path, data=json.dumps(settings))


@pytest.fixture
def traces(caplog: pytest.LogCaptureFixture) -> Any:
    """The traces so far."""
    caplog.set_level(logging.INFO)
    return lambda: [record for record in caplog.records if record.msg == "request trace"]


async def test_a_trace(client: Client, traces: Any) -> None:
    await infer(client, "m", BODY)
    assert not traces()
    await trace(client, {"trace_level": ["TIMESTAMPS"], "trace_rate": "1"})
    await infer(client, "m", BODY)
    (record,) = traces()
    assert (record.model_name, record.model_version, record.request_id) == ("m", 1, "7")
    times = record.timestamps
    assert list(times) == [
        "REQUEST_START",
        "QUEUE_START",
        "COMPUTE_START",
        "COMPUTE_INPUT_END",
        "COMPUTE_OUTPUT_START",
        "COMPUTE_END",
        "REQUEST_END",
    ]
    assert sorted(times.values()) == list(times.values())


async def test_one_in_so_many_and_no_more_than(client: Client, traces: Any) -> None:
    await trace(client, {"trace_level": "TIMESTAMPS", "trace_rate": 3, "trace_count": "2"}, "m")
    for _ in range(12):
        await infer(client, "m", BODY)
        await infer(client, "n", BODY)
    assert [record.model_name for record in traces()] == ["m", "m"]
    await trace(client, {"trace_count": "1"}, "m")
    for _ in range(6):
        await infer(client, "m", BODY)
    assert len(traces()) == 3


async def test_a_model_has_what_it_does_not_set_from_the_server(client: Client) -> None:
    await trace(client, {"trace_rate": "5"}, "m")
    await trace(client, {"trace_rate": "7", "trace_level": ["TIMESTAMPS"]})
    own = (await client.get("/v2/models/m/trace/setting")).json
    assert (own["trace_rate"], own["trace_level"]) == ("5", ["TIMESTAMPS"])
    assert (await trace(client, {"trace_rate": None}, "m")).json["trace_rate"] == "7"
    assert (await trace(client, {"trace_rate": None})).json["trace_rate"] == "1000"


TRACE_MISTAKES: dict[str, tuple[Any, str]] = {
    "file": ({"trace_file": "/tmp/x"}, "trace_file cannot be set by clients"),
    "mode": ({"trace_mode": "opentelemetry"}, "trace_mode cannot be set by clients"),
    "frequency": ({"log_frequency": "5"}, "log_frequency cannot be set by clients"),
    "tensors": ({"trace_level": ["TIMESTAMPS", "TENSORS"]}, "TENSORS is not supported"),
    "level": ({"trace_level": ["MAX"]}, "trace_level must be OFF or TIMESTAMPS"),
    "no level": ({"trace_level": []}, "trace_level must be OFF or TIMESTAMPS"),
    "rate": ({"trace_rate": "0"}, "trace_rate must be a whole number, at least 1"),
    "rate is text": ({"trace_rate": "fast"}, "trace_rate must be a whole number"),
    "rate is long": ({"trace_rate": "1" * 5000}, "trace_rate must be a whole number"),
    "count": ({"trace_count": "-2"}, "trace_count must be a whole number, at least -1"),
    "unknown": ({"trace_x": "1"}, 'unknown trace setting "trace_x"'),
}


@pytest.mark.parametrize(("settings", "message"), TRACE_MISTAKES.values(), ids=TRACE_MISTAKES)
async def test_trace_settings_that_cannot_be(
    client: Client, settings: dict[str, Any], message: str
) -> None:
    before = (await client.get("/v2/trace/setting")).json
    answer = await trace(client, {"trace_rate": "9", **settings})
    assert (answer.status, message in answer.error) == (400, True)
    assert (await client.get("/v2/trace/setting")).json == before


async def test_what_is_set_already_may_be_sent_back(client: Client) -> None:
    for path in ("/v2/trace/setting", "/v2/logging"):
        settings = (await client.get(path)).json
        answer = await client.ask("POST", path, data=json.dumps(settings))
        assert (answer.status, answer.json) == (200, settings)


async def test_trace_settings_of_unknown_models(client: Client) -> None:
    assert (await client.get("/v2/models/nobody/trace/setting")).status == 404
    assert (await trace(client, {}, "nobody")).status == 404


LOG_MISTAKES: dict[str, tuple[Any, str]] = {
    "file": ({"log_file": "/tmp/x"}, "log_file cannot be set by clients"),
    "format": ({"log_format": "default"}, "log_format cannot be set by clients"),
    "not a boolean": ({"log_info": 1}, "log_info must be true or false"),
    "not a number": ({"log_verbose_level": "1"}, "log_verbose_level must be a whole number"),
    "negative": ({"log_verbose_level": -1}, "log_verbose_level must be a whole number"),
    "unknown": ({"log_all": True}, 'unknown log setting "log_all"'),
}


@pytest.mark.parametrize(("settings", "message"), LOG_MISTAKES.values(), ids=LOG_MISTAKES)
async def test_log_settings_that_cannot_be(
    client: Client, settings: dict[str, Any], message: str
) -> None:
    before = (await client.get("/v2/logging")).json
    body = json.dumps({"log_error": False, **settings})
    answer = await client.ask("POST", "/v2/logging", data=body)
    assert (answer.status, message in answer.error) == (400, True)
    assert (await client.get("/v2/logging")).json == before


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger at INFO."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(level)


def test_the_switches(root: logging.Logger) -> None:
    heard: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.levelname)

    def levels() -> list[str]:
        heard.clear()
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, 50):
            logging.getLogger("gateway.test").log(level, "x")
        return list(heard)

    handler = Handler()
    root.addHandler(handler)
    try:
        settings = LogSettings()
        assert settings.as_json() == {
            "log_info": True,
            "log_warning": True,
            "log_error": True,
            "log_verbose_level": 0,
            "log_file": "",
            "log_format": "ISO8601",
        }
        assert levels() == ["INFO", "WARNING", "ERROR", "CRITICAL"]
        settings.update({"log_info": False, "log_verbose_level": 2})
        assert levels() == ["DEBUG", "WARNING", "ERROR", "CRITICAL"]
        settings.update({"log_warning": False, "log_error": False, "log_verbose_level": 0})
        assert levels() == ["CRITICAL"]
        settings.restore()
        assert levels() == ["INFO", "WARNING", "ERROR", "CRITICAL"]
        assert not handler.filters
    finally:
        root.removeHandler(handler)
