"""Shared memory, trace and log settings, with Triton's client."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from multiprocessing import shared_memory
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc.aio as triton
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from tests.gateway.fake_backend import FakeSignature, by_name, spec
from tests.oip_grpc.serving import serving_oip, x

ALLOWED = {"allow_client_shm": True}


@pytest.fixture
def memory() -> Iterator[shared_memory.SharedMemory]:
    """A shared memory object of 64 bytes."""
    made = shared_memory.SharedMemory(f"oip-test-{uuid.uuid4().hex}", create=True, size=64)
    yield made
    made.close()
    made.unlink()


async def test_tensors_in_shared_memory(tmp_path: Path, memory: shared_memory.SharedMemory) -> None:
    memory.buf[8:16] = np.array([1, 2], np.float32).tobytes()
    shared = triton.InferInput("x", [2], "FP32")
    shared.set_shared_memory("r", 8, offset=8)
    wanted = triton.InferRequestedOutput("y")
    wanted.set_shared_memory("r", 16, offset=32)
    async with serving_oip(tmp_path, {"m": FakeSignature()}, **ALLOWED) as door:
        await door.client.register_system_shared_memory("r", memory.name, 64)
        inside = await door.infer("m", shared, outputs=[wanted])
        back = await door.infer("m", shared)

    assert np.frombuffer(memory.buf[32:40], np.float32).tolist() == [2, 4]
    assert back.as_numpy("y").tolist() == [2, 4]
    output = inside.get_output("y")
    assert output.parameters["shared_memory_region"].string_param == "r"
    assert output.parameters["shared_memory_byte_size"].int64_param == 8
    assert output.parameters["shared_memory_offset"].int64_param == 32
    assert list(inside.get_response().raw_output_contents) == [b""]


async def test_inputs_in_shared_memory_and_raw_ones_mix(
    tmp_path: Path, memory: shared_memory.SharedMemory
) -> None:
    both = FakeSignature(
        lambda inputs: {"y": inputs["a"] + inputs["b"]}, by_name(spec("a"), spec("b"))
    )
    memory.buf[:4] = np.float32(1).tobytes()
    shared = triton.InferInput("a", [1], "FP32")
    shared.set_shared_memory("r", 4)
    raw = x(10)
    raw._input.name = "b"
    async with serving_oip(tmp_path, {"m": both}, **ALLOWED) as door:
        await door.client.register_system_shared_memory("r", memory.name, 64)
        result = await door.infer("m", shared, raw)

    assert result.as_numpy("y").tolist() == [11]


async def test_the_life_of_a_region(tmp_path: Path, memory: shared_memory.SharedMemory) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}, **ALLOWED) as door:
        client = door.client
        await client.register_system_shared_memory("r", memory.name, 40, offset=8)
        with pytest.raises(InferenceServerException) as caught:
            await client.register_system_shared_memory("r", memory.name, 40)
        status = await client.get_system_shared_memory_status("r")
        everything = await client.get_system_shared_memory_status()
        await client.unregister_system_shared_memory("r")
        empty = await client.get_system_shared_memory_status()
        await client.unregister_system_shared_memory()

    assert caught.value.status() == "StatusCode.ALREADY_EXISTS"
    region = status.regions["r"]
    assert (region.name, region.key) == ("r", memory.name)
    assert (region.offset, region.byte_size) == (8, 40)
    assert list(everything.regions) == ["r"]
    assert not empty.regions


async def test_shared_memory_is_off_unless_allowed(
    tmp_path: Path, memory: shared_memory.SharedMemory
) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        with pytest.raises(InferenceServerException, match="allow_client_shm"):
            await door.client.register_system_shared_memory("r", memory.name, 64)


async def test_there_is_no_cuda_shared_memory(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        client = door.client
        with pytest.raises(InferenceServerException) as caught:
            await client.register_cuda_shared_memory("r", b"aGFuZGxl", 0, 64)
        status = await client.get_cuda_shared_memory_status()
        await client.unregister_cuda_shared_memory()

    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    assert "CUDA shared memory is not supported" in caught.value.message()
    assert not status.regions


async def test_trace_settings(tmp_path: Path) -> None:
    def texts(response: service_pb2.TraceSettingResponse) -> dict[str, list[str]]:
        return {key: list(value.value) for key, value in response.settings.items()}

    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        client = door.client
        default = texts(await client.get_trace_settings())
        changed = texts(
            await client.update_trace_settings(
                "m", {"trace_level": ["TIMESTAMPS"], "trace_rate": "2"}
            )
        )
        own = texts(await client.get_trace_settings("m"))
        of_others = texts(await client.get_trace_settings())
        cleared = texts(
            await client.update_trace_settings("m", {"trace_level": None, "trace_rate": None})
        )
        with pytest.raises(InferenceServerException) as caught:
            await client.update_trace_settings("m", {"trace_file": "/etc/passwd"})

    assert default["trace_level"] == ["OFF"]
    assert changed["trace_level"] == ["TIMESTAMPS"]
    assert changed["trace_rate"] == ["2"]
    assert own == changed
    assert of_others == default == cleared
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


async def test_log_settings(tmp_path: Path) -> None:
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        client = door.client
        before = (await client.get_log_settings()).settings
        after = (
            await client.update_log_settings({"log_info": False, "log_verbose_level": 1})
        ).settings
        with pytest.raises(InferenceServerException) as caught:
            await client.update_log_settings({"log_file": "elsewhere"})
        door.gateway.oip.close()

    kinds = {key: value.WhichOneof("parameter_choice") for key, value in before.items()}
    assert kinds["log_info"] == "bool_param"
    assert kinds["log_verbose_level"] == "uint32_param"
    assert kinds["log_format"] == "string_param"
    assert not after["log_info"].bool_param
    assert after["log_verbose_level"].uint32_param == 1
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "log_file" in caught.value.message()


async def test_a_log_setting_without_a_value_is_refused(tmp_path: Path) -> None:
    request = service_pb2.LogSettingsRequest()
    request.settings["log_info"].SetInParent()
    async with serving_oip(tmp_path, {"m": FakeSignature()}) as door:
        code, details = await door.refusal("LogSettings", request.SerializeToString())

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details == "the setting 'log_info' has no value"
