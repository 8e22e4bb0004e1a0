"""Metadata and configuration: what clients are told of models, and what they may send then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict

from gateway.backends.base import TensorSpec
from gateway.config.settings import Settings
from gateway.config.triton.model import TritonModel, TritonTensor
from gateway.oip.interface import reshaped
from gateway.protos.triton.model_config_pb2 import ModelConfig
from tests.gateway.fake_backend import FakeSignature, by_name
from tests.gateway.serving import Client
from tests.oip.models import add_sub, identity, infer, json_input, serving_oip, tensor


def unknown(name: str) -> TensorSpec:
    return TensorSpec(name, np.dtype(np.float32), "DT_FLOAT", None)


def echo(inputs: Mapping[str, TensorSpec], **options: Any) -> FakeSignature:
    """Gives ``x`` back as ``y``, which has its spec."""
    [x] = inputs.values()
    y = TensorSpec("y", x.dtype, x.type_name, x.shape)
    return FakeSignature(lambda given: {"y": given["x"].copy()}, inputs, by_name(y), **options)


def complex_model() -> FakeSignature:
    spec = TensorSpec("x", np.dtype(np.complex64), "DT_COMPLEX64", (None,))
    return echo(by_name(spec))


async def shapes(client: Client, model: str) -> tuple[list[Any], list[Any], int]:
    """Of the input: in the metadata, in the configuration, and the batch size."""
    metadata = (await client.get(f"/v2/models/{model}")).json
    config = (await client.get(f"/v2/models/{model}/config")).json
    return metadata["inputs"][0]["shape"], config["input"][0]["dims"], config["max_batch_size"]


async def test_the_batch_axis(tmp_path: Path) -> None:
    fixed = tensor("x", "FP32", 2, batched=False)
    contents = {
        "batched": identity("FP32", None, 3),
        "scalars": identity("FP32"),
        "unknown": echo(by_name(unknown("x"))),
        "fixed": echo(by_name(fixed), unbatchable="it has no batch axis"),
        "alone": echo(by_name(tensor("x", "FP32", 3)), unbatchable="its rows depend on others"),
        "shapeless": echo(by_name(unknown("x")), unbatchable="its rows depend on others"),
    }
    async with serving_oip(tmp_path, contents, max_batch_size=8) as client:
        assert await shapes(client, "batched") == ([-1, -1, 3], [-1, 3], 8)
        # Clients of Triton know no rows without a shape; these share runs all the same.
        assert await shapes(client, "scalars") == ([-1], [-1], 0)
        assert await shapes(client, "unknown") == ([-1], [-1], 0)
        assert await shapes(client, "fixed") == ([2], [2], 0)
        assert await shapes(client, "alone") == ([-1, 3], [-1, 3], 0)
        assert await shapes(client, "shapeless") == ([-1], [-1], 0)
        assert "dynamic_batching" not in (await client.get("/v2/models/alone/config")).json


async def test_what_an_unknown_rank_takes(tmp_path: Path) -> None:
    contents = {
        "batched": echo(by_name(unknown("x"))),
        "alone": echo(by_name(unknown("x")), unbatchable="its rows depend on others"),
    }
    async with serving_oip(tmp_path, contents) as client:
        for shape in ((2,), (2, 3, 4)):
            body = {"inputs": [json_input("x", np.ones(shape, np.float32), "FP32")]}
            for model in contents:
                assert (await infer(client, model, body)).json["outputs"][0]["shape"] == [*shape]
        scalar = {"inputs": [json_input("x", np.ones((), np.float32), "FP32")]}
        assert (await infer(client, "batched", scalar)).status == 400
        assert (await infer(client, "alone", scalar)).json["outputs"][0]["shape"] == []


async def test_a_configuration_is_a_model_config(tmp_path: Path) -> None:
    """Of Triton's .proto, as gRPC answers it."""
    padded = {"padded": {"padding": {"x": {"axes": [1]}}, "allowed_batch_sizes": [2, 4]}}
    contents = {"add_sub": add_sub(), "padded": identity("FP32", None)}
    options: dict[str, Any] = {"max_batch_size": 4, "batch_timeout_ms": 1.5, "models": padded}
    async with serving_oip(tmp_path, contents, devices=("gpu:0", "cpu:0"), **options) as client:
        answer = (await client.get("/v2/models/padded/config")).json
        config = ParseDict(answer, ModelConfig())
        assert (config.name, config.backend) == ("padded", "tensorflow")
        assert config.version_policy.latest.num_versions == 1
        assert list(config.dynamic_batching.preferred_batch_size) == [2, 4]
        assert config.dynamic_batching.max_queue_delay_microseconds == 1500
        assert config.dynamic_batching.default_queue_policy.allow_timeout_override
        assert config.input[0].allow_ragged_batch
        assert config.parameters["TF_SIGNATURE_DEF"].string_value == "serving_default"
        assert [(group.kind, group.count, list(group.gpus)) for group in config.instance_group] == [
            (2, 1, []),
            (1, 1, [0]),
        ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("latest:3", {"latest": {"num_versions": 3}}),
        ("all", {"all": {}}),
        ("specific:1", {"specific": {"versions": [1]}}),
    ],
)
async def test_version_policies(tmp_path: Path, policy: str, expected: Any) -> None:
    models = {"m": {"model_version_policy": policy}}
    async with serving_oip(tmp_path, {"m": identity("FP32")}, models=models) as client:
        answer = await client.get("/v2/models/m/config")
        assert answer.json["version_policy"] == expected


async def test_another_signature(tmp_path: Path) -> None:
    contents = {"m": {"serving_default": identity("FP32"), "other": identity("INT64", 2)}}
    async with serving_oip(tmp_path, contents) as client:
        metadata = (await client.get("/v2/models/m?signature_name=other")).json
        assert metadata["inputs"] == [{"name": "x", "datatype": "INT64", "shape": [-1, 2]}]
        config = (await client.get("/v2/models/m/versions/1/config?signature_name=other")).json
        assert config["input"][0]["data_type"] == "TYPE_INT64"
        assert (await client.get("/v2/models/m?signature_name=z")).status == 400


async def test_a_dtype_that_the_protocol_does_not_have(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": complex_model()}) as client:
        metadata = (await client.get("/v2/models/m")).json
        assert metadata["inputs"][0]["datatype"] == "<invalid>"
        config = (await client.get("/v2/models/m/config")).json
        assert config["input"][0]["data_type"] == "TYPE_INVALID"
        body = {"inputs": [json_input("x", np.ones(1, np.float32), "FP32")]}
        answer = await infer(client, "m", body)
        assert answer.status == 400
        assert "output 'y' is complex64, which the protocol cannot carry" in answer.error


def with_config(client: Client, name: str, triton: TritonModel) -> None:
    """As if the model came from a Triton repository."""
    entry = client.gateway.registry.models[name]
    entry.settings = entry.settings.model_copy(update={"triton": triton})


def declared(**tensors: Any) -> dict[str, TritonTensor]:
    return {name: TritonTensor(name, "FP32", **values) for name, values in tensors.items()}


async def test_a_declared_interface(tmp_path: Path) -> None:
    """config.pbtxt may show a model that takes [N] as one that takes [N, 1], and name classes."""
    contents = {"m": {"serving_default": identity("INT32"), "scores": identity("FP32")}}
    async with serving_oip(tmp_path, contents) as client:
        config = ModelConfig(name="m")
        config.optimization.priority = 1
        config.output.add(name="y", label_filename="labels.txt")
        with_config(
            client,
            "m",
            TritonModel(
                Path("m"),
                max_batch_size=16,
                signature="scores",
                inputs=declared(x={"dims": (1,), "reshape": ()}),
                outputs=declared(y={"dims": (1,), "reshape": (), "labels": ("cat",)}),
                config=config,
            ),
        )
        metadata = (await client.get("/v2/models/m")).json
        assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 1]}]
        told = (await client.get("/v2/models/m/config")).json
        assert (told["max_batch_size"], told["optimization"]) == (16, {"priority": "PRIORITY_MAX"})
        assert told["input"][0]["reshape"] == {"shape": []}
        assert told["output"][0]["label_filename"] == "labels.txt"
        body = {"inputs": [json_input("x", np.array([[5], [6]], np.float32), "FP32")]}
        [output] = (await infer(client, "m", body)).json["outputs"]
        assert (output["shape"], output["data"]) == ([2, 1], [5.0, 6.0])
        wanted = [{"name": "y", "parameters": {"classification": 3}}]
        [output] = (await infer(client, "m", {**body, "outputs": wanted})).json["outputs"]
        assert (output["shape"], output["data"]) == ([2, 1], ["5.000000:0:cat", "6.000000:0:cat"])


def test_reshapes_carry_unknown_sizes_over() -> None:
    assert reshaped((2, 6, 5), (-1, 5), (5, -1), batched=True) == (2, 5, 6)
    assert reshaped((6, 5), (-1, 5), (1, -1, 5), batched=False) == (1, 6, 5)
    assert reshaped((3, 1), (1,), (), batched=True) == (3,)


def test_the_settings_have_what_is_told() -> None:
    model = Settings.model_validate({"models": {"m": {"base_path": "/m"}}}).for_model("m")
    assert (model.priority_levels, model.queue_timeout_us, model.triton) == (0, 0, None)
