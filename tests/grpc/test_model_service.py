"""ModelService, and PredictionService.GetModelMetadata."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Code, ServingError
from gateway.protos.services import ReloadConfigRequest
from gateway.protos.serving import (
    GetModelMetadataRequest,
    GetModelStatusRequest,
    SignatureDefMap,
)
from tests.gateway.fake_backend import Content, FakeSignature
from tests.gateway.serving import folders, serving_fakes, until
from tests.grpc.serving import GrpcClient, over_grpc

CONTENTS: dict[str, Content] = {
    "m/1": FakeSignature(),
    "m/2": FakeSignature(),
    "other": FakeSignature(),
    "broken": ServingError(Code.DATA_LOSS, "its saved_model.pb is damaged"),
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[GrpcClient]:
    """Serves two versions of ``m``, which is watched."""
    models = {"m": {"model_version_policy": "all", "batching": "on", "max_batch_size": 7}}
    served = {"m/1": CONTENTS["m/1"], "m/2": CONTENTS["m/2"]}
    async with (
        serving_fakes(tmp_path, served, models=models) as rest,
        over_grpc(rest) as client,
    ):
        rest.gateway.backend._contents = CONTENTS  # type: ignore[attr-defined]
        folders(tmp_path, "other/1", "broken/1")
        rest.gateway.manager.watch()
        yield client


def status_request(**spec: Any) -> Any:
    message = GetModelStatusRequest()
    version = spec.pop("version", None)
    message.model_spec.SetInParent()
    for name, value in spec.items():
        setattr(message.model_spec, name, value)
    if version is not None:
        message.model_spec.version.value = version
    return message


async def states(client: GrpcClient, **spec: Any) -> list[tuple[int, int, int, str]]:
    answer = await client.call("GetModelStatus", status_request(**spec))
    return [
        (s.version, s.state, s.status.error_code, s.status.error_message)
        for s in answer.model_version_status
    ]


AVAILABLE, END = 30, 50


async def test_status(client: GrpcClient) -> None:
    assert await states(client, name="m") == [(2, AVAILABLE, 0, ""), (1, AVAILABLE, 0, "")]
    assert await states(client, name="m", version=1) == [(1, AVAILABLE, 0, "")]
    # TF Serving ignores it.
    assert len(await states(client, name="m", version_label="no")) == 2


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (GetModelStatusRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (
            status_request(name="x"),
            Code.NOT_FOUND,
            "Could not find any versions of model x",
        ),
        (status_request(), Code.NOT_FOUND, "Could not find any versions of model "),
        (
            status_request(name="m", version=9),
            Code.NOT_FOUND,
            "Could not find version 9 of model m",
        ),
        (b"\xff", Code.INVALID_ARGUMENT, "the request is no GetModelStatusRequest"),
    ],
)
async def test_status_of_what_is_not_there(
    client: GrpcClient, message: Any, code: Code, details: str
) -> None:
    assert await client.refused("GetModelStatus", message) == (code.name, details)


def metadata_request(*fields: str, **spec: Any) -> Any:
    return GetModelMetadataRequest(model_spec=spec, metadata_field=fields)


async def test_metadata(client: GrpcClient) -> None:
    message = metadata_request("signature_def", name="m", version={"value": 1})
    answer = await client.call("GetModelMetadata", message)
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("m", 1, "")
    found = answer.metadata["signature_def"]
    assert found.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    assert list(SignatureDefMap.FromString(found.value).signature_def) == ["serving_default"]


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (
            GetModelMetadataRequest(metadata_field=["signature_def"]),
            Code.INVALID_ARGUMENT,
            "Missing ModelSpec",
        ),
        (
            metadata_request(name="m"),
            Code.INVALID_ARGUMENT,
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            metadata_request("signature_def", "graph", name="x"),
            Code.INVALID_ARGUMENT,
            "Metadata field graph is not supported",
        ),
        (
            metadata_request("signature_def", name=""),
            Code.INVALID_ARGUMENT,
            "ModelSpec has no name specified.",
        ),
        (
            metadata_request("signature_def", name="x"),
            Code.NOT_FOUND,
            "Servable not found for request: Latest(x)",
        ),
    ],
)
async def test_metadata_of_what_is_not_there(
    client: GrpcClient, message: Any, code: Code, details: str
) -> None:
    assert await client.refused("GetModelMetadata", message) == (code.name, details)


def reload_request(root: Path, *names: str, **fields: Any) -> Any:
    message = ReloadConfigRequest()
    message.config.model_config_list.SetInParent()
    for name in names:
        config = message.config.model_config_list.config.add()
        config.name, config.base_path = name, str(root / name)
        config.model_platform = "tensorflow"
    message.metric_names.extend(fields.get("metrics", ()))
    return message


LOADS = "/tensorflow/cc/saved_model/load_attempt_count"


async def test_a_reload_waits_for_the_loads(client: GrpcClient, tmp_path: Path) -> None:
    backend: Any = client.gateway.backend
    backend.loading.shut()
    message = reload_request(tmp_path, "other", metrics=[LOADS, "/no/such"])
    reload = asyncio.create_task(_await(client.call("HandleReloadConfigRequest", message)))
    await until(lambda: "other" in client.gateway.registry.models)
    await until(lambda: client.gateway.manager.on_its_way)
    assert not reload.done()
    backend.loading.open()
    answer = await reload
    assert (answer.status.error_code, answer.status.error_message) == (0, "")
    assert [(m.name, m.int64_value_increase) for m in answer.metric] == [
        (LOADS, 1),
        ("/no/such", 0),
    ]
    assert await client.predict("other", 1) == [2]
    code, _ = await client.refused("GetModelStatus", status_request(name="m"))
    assert code == "NOT_FOUND"
    assert client.gateway.registry.configuration.generation == 2


async def _await(call: Any) -> Any:
    return await call


async def test_the_whole_configuration_is_replaced(client: GrpcClient, tmp_path: Path) -> None:
    await client.call("HandleReloadConfigRequest", reload_request(tmp_path, "m", "other"))
    # The version policy is not mentioned, so the default is in force; what no configuration can
    # say stays.
    entry = client.gateway.registry.models["m"]
    assert entry.settings.model_version_policy == "latest"
    assert entry.settings.max_batch_size == 7
    await until(lambda: list(entry.available()) == [2])
    assert await client.predict("m", 1) == [2]
    await client.call("HandleReloadConfigRequest", reload_request(tmp_path))
    assert not client.gateway.registry.models


async def test_versions_that_are_asked_for(client: GrpcClient, tmp_path: Path) -> None:
    message = reload_request(tmp_path, "m")
    config = message.config.model_config_list.config[0]
    config.model_version_policy.specific.versions.append(1)
    config.version_labels["stable"] = 1
    await client.call("HandleReloadConfigRequest", message)
    assert (await states(client, name="m"))[-1] == (1, AVAILABLE, 0, "")
    assert client.gateway.registry.models["m"].label_targets == {"stable": {1: 1.0}}


async def test_a_model_that_does_not_load(client: GrpcClient, tmp_path: Path) -> None:
    message = reload_request(tmp_path, "m", "broken", "nowhere")
    code, details = await client.refused("HandleReloadConfigRequest", message)
    assert code == "DATA_LOSS"
    assert details.startswith(
        "2 model(s) did not become available: {broken: its saved_model.pb is damaged; nowhere: "
    )
    assert str(tmp_path) not in details
    assert await client.predict("m", 1) == [2]
    assert (await states(client, name="broken"))[0][:3] == (1, END, Code.DATA_LOSS.grpc_code)


def changed(message: Any, **fields: Any) -> Any:
    config = message.config.model_config_list.config[0]
    for name, value in fields.items():
        setattr(config, name, value)
    return message


def with_log(message: Any, file: str) -> Any:
    config = message.config.model_config_list.config[0]
    config.logging_config.log_collector_config.filename_prefix = file
    return message


def with_label(message: Any, version: int) -> Any:
    message.config.model_config_list.config[0].version_labels["l"] = version
    return message


ROOT = Path("/models")


@pytest.mark.parametrize(
    ("message", "code", "details"),
    [
        (
            ReloadConfigRequest(),
            Code.INVALID_ARGUMENT,
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported",
        ),
        (
            reload_request(ROOT, "other", "other"),
            Code.INVALID_ARGUMENT,
            'the configuration: model "other" is listed twice',
        ),
        (
            changed(reload_request(ROOT, "other"), name=""),
            Code.INVALID_ARGUMENT,
            "the configuration: a model has no name",
        ),
        (
            changed(reload_request(ROOT, "other"), base_path="relative"),
            Code.INVALID_ARGUMENT,
            'the configuration: model "other" needs an absolute base_path, not "relative"',
        ),
        (
            changed(reload_request(ROOT, "other"), model_platform="torch"),
            Code.INVALID_ARGUMENT,
            'the configuration: model "other" has the platform "torch"; only "tensorflow" is'
            " supported",
        ),
        (
            with_log(reload_request(ROOT, "other"), "/etc/passwd"),
            Code.INVALID_ARGUMENT,
            'the configuration: model "other": logging_config may name a file only in the'
            " server's own configuration (request_log)",
        ),
        (
            with_label(reload_request(ROOT, "m"), 9),
            Code.FAILED_PRECONDITION,
            "Request to assign label to version 9 of model m, which is not currently available"
            " for inference",
        ),
        (b"\xff", Code.INVALID_ARGUMENT, "the request is no ReloadConfigRequest"),
    ],
)
async def test_a_refused_configuration_changes_nothing(
    client: GrpcClient, message: Any, code: Code, details: str
) -> None:
    before = client.gateway.settings
    assert await client.refused("HandleReloadConfigRequest", message) == (code.name, details)
    assert client.gateway.settings is before
    assert [state[0] for state in await states(client, name="m")] == [2, 1]
    assert client.gateway.registry.configuration.generation == 1


async def test_a_log_that_is_there_may_be_named(tmp_path: Path) -> None:
    log = str(tmp_path / "log.jsonl")
    models = {"m": {"request_log": log}}
    async with (
        serving_fakes(tmp_path, {"m": FakeSignature()}, models=models) as rest,
        over_grpc(rest) as client,
    ):
        rest.gateway.manager.watch()
        message = with_log(reload_request(tmp_path, "m"), log)
        await client.call("HandleReloadConfigRequest", message)
        assert rest.gateway.registry.models["m"].settings.request_log == log
        await rest.gateway.close_request_logs(1)
