"""The calls about the server and its models, with Triton's client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as sync
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from gateway import __version__
from gateway.errors import Code, ServingError
from gateway.oip.service import OipService
from tests.gateway.fake_backend import FakeSignature, by_name, spec
from tests.oip_grpc.serving import given, serving_oip, x


def rows_of_four() -> FakeSignature:
    return FakeSignature(
        inputs=by_name(spec("x", np.float32, 4, None)),
        outputs=by_name(spec("y", np.float32, 4, None)),
    )


async def test_health(tmp_path: Path) -> None:
    broken = ServingError(Code.INTERNAL, "does not load")
    contents = {"m/2": FakeSignature(), "broken": broken}
    async with serving_oip(tmp_path, contents, max_num_load_retries=0) as door:
        client = door.client
        assert await client.is_server_live()
        assert not await client.is_server_ready()
        assert await client.is_model_ready("m")
        assert await client.is_model_ready("m", "2")
        assert not await client.is_model_ready("m", "1")
        assert not await client.is_model_ready("broken")
        assert not await client.is_model_ready("nobody")
        with pytest.raises(InferenceServerException, match="version string"):
            await client.is_model_ready("m", "two")


async def test_the_server_is_ready_when_all_models_are(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        assert await door.client.is_server_ready()


async def test_server_metadata(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        metadata = await door.client.get_server_metadata()

    assert (metadata.name, metadata.version) == ("tensorgate", __version__)
    assert {"binary_tensor_data", "statistics", "model_repository"} <= set(metadata.extensions)


async def test_model_metadata(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m/2": rows_of_four()}) as door:
        metadata = await door.client.get_model_metadata("m")
        with pytest.raises(InferenceServerException) as caught:
            await door.client.get_model_metadata("nobody")

    assert (metadata.name, list(metadata.versions)) == ("m", ["2"])
    assert metadata.platform == "tensorflow_savedmodel"
    [tensor] = metadata.inputs
    assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("x", "FP32", [-1, 4, -1])
    assert [output.name for output in metadata.outputs] == ["y"]
    assert caught.value.status() == "StatusCode.NOT_FOUND"


async def test_model_config(tmp_path: Path) -> None:
    models = {"m": {"max_batch_size": 16}}
    async with serving_oip(tmp_path, {"m": rows_of_four()}, models=models) as door:
        config = (await door.client.get_model_config("m")).config
        with pytest.raises(InferenceServerException) as caught:
            await door.client.get_model_config("m", "9")

    assert (config.name, config.max_batch_size) == ("m", 16)
    [tensor] = config.input
    assert (tensor.name, tensor.data_type, list(tensor.dims)) == ("x", 11, [4, -1])
    assert config.HasField("dynamic_batching")
    assert caught.value.status() == "StatusCode.NOT_FOUND"


async def test_statistics(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_oip(tmp_path, {"m/3": fake, "idle": FakeSignature()}) as door:
        await door.infer("m", x(1, 2, 3))
        await door.infer("m", x(1))
        with pytest.raises(InferenceServerException):
            await door.infer("m", x(-1))
        statistics = await door.client.get_inference_statistics("m", "3")
        everything = await door.client.get_inference_statistics()
        with pytest.raises(InferenceServerException) as caught:
            await door.client.get_inference_statistics("nobody")

    [model] = statistics.model_stats
    assert (model.name, model.version) == ("m", "3")
    assert (model.inference_count, model.execution_count) == (4, 3)
    assert model.last_inference > 1_600_000_000_000
    stats = model.inference_stats
    assert (stats.success.count, stats.fail.count, stats.queue.count) == (2, 1, 2)
    assert stats.success.ns > stats.compute_infer.ns > 0
    assert {batch.batch_size: batch.compute_infer.count for batch in model.batch_stats} == {
        1: 1,
        3: 1,
    }
    assert {model.name for model in everything.model_stats} == {"m", "idle"}
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


async def test_the_repository_index(tmp_path: Path) -> None:
    broken = ServingError(Code.INTERNAL, "does not load")
    contents = {"m/3": FakeSignature(), "broken": broken}
    async with serving_oip(tmp_path, contents, max_num_load_retries=0) as door:
        index = await door.client.get_model_repository_index()
        ready = await door.raw(
            "RepositoryIndex", service_pb2.RepositoryIndexRequest(ready=True).SerializeToString()
        )

    rows = {(row.name, row.version, row.state, row.reason) for row in index.models}
    assert rows == {
        ("m", "3", "READY", ""),
        ("broken", "1", "UNAVAILABLE", "does not load"),
    }
    found = service_pb2.RepositoryIndexResponse.FromString(ready)
    assert [row.name for row in found.models] == ["m"]


async def test_models_cannot_be_loaded_without_that_mode(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        for call in (door.client.load_model, door.client.unload_model):
            with pytest.raises(InferenceServerException) as caught:
                await call("m")
            assert caught.value.status() == "StatusCode.UNAVAILABLE"
            assert "explicit model load / unload is not allowed" in caught.value.message()


async def test_what_load_and_unload_hand_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, dict[str, Any]]] = []

    def recorded(call: str) -> Any:
        async def record(self: OipService, name: str, parameters: dict[str, Any]) -> None:
            asked.append((call, name, parameters))

        return record

    monkeypatch.setattr(OipService, "load_model", recorded("load"))
    monkeypatch.setattr(OipService, "unload_model", recorded("unload"))
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        await door.client.load_model("m", config="{}", files={"file:1/a": b"\xff"})
        await door.client.unload_model("m", unload_dependents=True)

    assert asked == [
        ("load", "m", {"config": "{}", "file:1/a": b"\xff"}),
        ("unload", "m", {"unload_dependents": True}),
    ]


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("RepositoryIndex", service_pb2.RepositoryIndexRequest),
        ("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest),
        ("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest),
    ],
)
async def test_there_is_one_repository(tmp_path: Path, method: str, kind: Any) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        refusal = await door.refusal(method, kind(repository_name="other").SerializeToString())

    assert refusal == (
        grpc.StatusCode.UNIMPLEMENTED,
        "'repository_name' specification is not supported",
    )


async def test_the_synchronous_client(tmp_path: Path) -> None:
    """The call on which its users build: describe, then ask."""

    def ask(address: str) -> list[Any]:
        with sync.InferenceServerClient(address) as client:
            metadata = client.get_model_metadata("m", as_json=True)
            config = client.get_model_config("m", as_json=True)
            name = metadata["inputs"][0]["name"]
            result = client.infer("m", [given(name, np.ones((1, 4, 2), np.float32))])
            count = client.get_inference_statistics("m", as_json=True)
            return [
                config["config"]["input"][0]["data_type"],
                result.as_numpy("y").tolist(),
                count["model_stats"][0]["inference_count"],
            ]

    async with serving_oip(tmp_path, {"m": rows_of_four()}) as door:
        found = await asyncio.to_thread(ask, door.address)

    assert found == ["TYPE_FP32", [[[2, 2]] * 4], "1"]


async def test_calls_are_counted_with_their_model(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        await door.client.get_model_metadata("m")
        await door.client.is_server_live()
        described = await door.rest.metric(
            "tensorgate_requests_total", model="m", api="ModelMetadata", code="OK"
        )
        live = await door.rest.metric(
            "tensorgate_requests_total", model="", api="ServerLive", code="OK"
        )

    assert (described, live) == (1, 1)
