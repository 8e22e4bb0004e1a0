"""Mistakes and malice on a live server: our own error, and it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.oip.service import OipService
from gateway.protos.triton import grpc_service_pb2
from gateway.protos.triton.grpc_service_pb2 import ModelInferRequest
from tests.gateway.fake_backend import FakeSignature
from tests.gateway.serving import until
from tests.oip_grpc.serving import serving_oip, x
from tests.oip_grpc.tensors import message_of

INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
METHODS = sorted(
    method.name
    for method in grpc_service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods
    if not method.client_streaming
)
ONE = b"\0\0\x80\x3f"


def one_row(**changes: Any) -> ModelInferRequest:
    message = message_of("FP32", [1], raw=ONE)
    for field, value in changes.items():
        setattr(message, field, value)
    return message


def with_input(name: str, **tensor: Any) -> ModelInferRequest:
    message = one_row()
    message.inputs.add(name=name, datatype="FP32", shape=[1], **tensor)
    message.raw_input_contents.append(ONE)
    return message


def with_outputs(*names: str, **parameters: Any) -> ModelInferRequest:
    message = one_row()
    for name in names:
        output = message.outputs.add(name=name)
        for key, value in parameters.items():
            output.parameters[key].MergeFrom(grpc_service_pb2.InferParameter(**value))
    return message


def with_parameter(key: str, **value: Any) -> ModelInferRequest:
    message = one_row()
    message.parameters[key].MergeFrom(grpc_service_pb2.InferParameter(**value))
    return message


def in_memory() -> ModelInferRequest:
    message = message_of("FP32", [1])
    parameters = message.inputs[0].parameters
    parameters["shared_memory_region"].string_param = "r"
    parameters["shared_memory_byte_size"].int64_param = 4
    return message


# Each tells in one message what was wrong, by name.
BAD: dict[str, tuple[ModelInferRequest, grpc.StatusCode, str]] = {
    "model": (one_row(model_name="no"), MISSING, "Request for unknown model: 'no' is not found"),
    "no model": (one_row(model_name=""), MISSING, "Request for unknown model: '' is not found"),
    "version": (one_row(model_version="7"), MISSING, "unknown model: 'm' version 7 is not found"),
    "version text": (one_row(model_version="x"), INVALID, 'version string "x"'),
    "negative version": (one_row(model_version="-1"), INVALID, 'version string "-1"'),
    "dtype": (
        message_of("INT32", [1], raw=ONE),
        INVALID,
        "inference input 'x' data-type is 'INT32', but model 'm' expects 'FP32'",
    ),
    "rank": (message_of("FP32", [1, 1], raw=ONE), INVALID, "shape for input 'x' for model 'm'"),
    "unknown input": (with_input("z"), INVALID, "unexpected inference input 'z' for model 'm'"),
    "twice": (with_input("x"), INVALID, "input 'x' is given twice"),
    "no input": (ModelInferRequest(model_name="m"), INVALID, "expected 1 inputs but got 0"),
    "unknown output": (with_outputs("z"), INVALID, "unexpected inference output 'z' for model"),
    "output twice": (with_outputs("y", "y"), INVALID, "output 'y' is asked for twice"),
    "classes": (
        with_outputs("y", classification={"string_param": "2"}),
        INVALID,
        "output 'y': classification must be",
    ),
    "no rows": (message_of("FP32", [0], raw=b""), INVALID, "batch-size must be at least 1"),
    "rows": (message_of("FP32", [4], raw=4 * ONE), INVALID, "batch-size must be <= 3 for 'm'"),
    "size": (message_of("FP32", [2], raw=ONE), INVALID, "byte size mismatch for input 'x'"),
    "overflow": (message_of("FP32", [2**40, 2**40], raw=ONE), INVALID, "input 'x' has the shape"),
    "mixed": (
        message_of("FP32", [1], raw=ONE, fp32_contents=[1]),
        INVALID,
        "input 'x': contents must not be given",
    ),
    "priority": (with_parameter("priority", string_param="high"), INVALID, "parameter priority"),
    "timeout": (with_parameter("timeout", int64_param=-1), INVALID, "parameter timeout"),
    "shared memory": (in_memory(), grpc.StatusCode.FAILED_PRECONDITION, "--allow_client_shm"),
}


@pytest.mark.parametrize(("message", "code", "text"), BAD.values(), ids=BAD)
async def test_mistakes(
    tmp_path: Path, message: ModelInferRequest, code: grpc.StatusCode, text: str
) -> None:
    models = {"m": {"max_batch_size": 3, "split_large_requests": False}}
    async with serving_oip(tmp_path, {"m": FakeSignature()}, models=models) as door:
        found, details = await door.refusal("ModelInfer", message.SerializeToString())
        assert found is code
        assert text in details
        assert (await door.infer("m", x(1))).as_numpy("y").tolist() == [2]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a million inputs": lambda: b"\x2a\x00" * 10**6,
    "a million inputs with names": lambda: ModelInferRequest(
        model_name="m", inputs=[{"name": str(i)} for i in range(10**5)]
    ).SerializeToString(),
    "a million parameters": lambda: b"\x22\x00" * 10**6,
    "a long name": lambda: message_of("X" * 10**6, [1]).SerializeToString(),
    "a long id": lambda: one_row(id="i" * 10**6).SerializeToString(),
    "no text": lambda: b"\x0a\x02\xff\xfe",
    "a length past the end": lambda: b"\x0a\xff\xff\xff\xff\x0f",
    "groups without end": lambda: b"\x7b" * 10**5,
    "a tensor of a petabyte": lambda: message_of("FP32", [2**48], raw=b"").SerializeToString(),
    "a petabyte of strings": lambda: message_of("BYTES", [2**48], raw=b"").SerializeToString(),
    "a string of 4 GiB": lambda: message_of(
        "BYTES", [1], raw=b"\xff\xff\xff\xff"
    ).SerializeToString(),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
async def test_malice(tmp_path: Path, make: Callable[[], bytes]) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        code, details = await door.refusal("ModelInfer", make())
        assert code in (INVALID, MISSING)
        assert len(details) <= 1024
        assert (await door.infer("m", x(1))).as_numpy("y").tolist() == [2]


async def test_a_message_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    data = message_of("FP32", [1], raw=bytes(2000)).SerializeToString()
    async with serving_oip(tmp_path, {"m": FakeSignature()}, max_body_bytes=1000) as door:
        code, _ = await door.refusal("ModelInfer", data)
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await door.infer("m", x(1))).as_numpy("y").tolist() == [2]


async def test_rows_beyond_the_queue_are_refused_with_a_time_to_wait(tmp_path: Path) -> None:
    fake = FakeSignature()
    models = {"m": {"max_queue_rows": 1, "max_batch_size": 1}}
    async with serving_oip(tmp_path, {"m": fake}, models=models) as door:
        fake.valve.shut()
        async with asyncio.TaskGroup() as group:
            group.create_task(door.infer("m", x(1)))
            await until(lambda: len(fake.batches) == 1)
            group.create_task(door.infer("m", x(1)))
            await until(lambda: door.rest.waiting_rows("m") == 1)

            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await door.raw("ModelInfer", one_row(id="3").SerializeToString())
            fake.valve.open()

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "[request id: 3] Exceeds maximum queue size" in (caught.value.details() or "")
    assert "grpc-retry-pushback-ms" in dict(caught.value.trailing_metadata())


@pytest.mark.parametrize("method", METHODS)
async def test_random_bytes_get_our_own_errors(tmp_path: Path, method: str) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        code, details = await door.refusal(method, b"\xff\xfe random")

    assert code is INVALID
    assert details == f"the request is no {method}Request"


async def test_what_our_code_did_not_expect_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: OipService) -> bool:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(OipService, "server_live", fail)
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        assert await door.refusal("ServerLive", b"") == (grpc.StatusCode.INTERNAL, "internal error")
