"""Tensors in POSIX shared memory, with Triton's own tools, and everything that must not work."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from multiprocessing import shared_memory as python_memory
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http.aio as triton
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

from tests.gateway.serving import Client
from tests.oip.models import add_sub, identity, infer, serving_oip

SIZE = 4096
ARRAY = np.arange(4, dtype=np.int32).reshape(1, 4)


@pytest.fixture
def key() -> Iterator[str]:
    """A shared memory object of ``SIZE`` bytes, as a client makes it."""
    memory = python_memory.SharedMemory(f"test_oip_{uuid.uuid4().hex}", create=True, size=SIZE)
    yield f"/{memory.name.lstrip('/')}"
    memory.close()
    memory.unlink()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    contents = {"add_sub": add_sub(), "text": identity("BYTES"), "big": identity("FP32", None)}
    async with serving_oip(tmp_path, contents, allow_client_shm=True) as client:
        yield client


@pytest.fixture
async def api(client: Client) -> AsyncIterator[triton.InferenceServerClient]:
    async with triton.InferenceServerClient(f"127.0.0.1:{client.port}") as api:
        yield api


def write(key: str, data: bytes, offset: int = 0) -> None:
    with Path(f"/dev/shm{key}").open("r+b") as memory:
        memory.seek(offset)
        memory.write(data)


def read(key: str, size: int, offset: int = 0) -> bytes:
    return Path(f"/dev/shm{key}").read_bytes()[offset : offset + size]


async def refusal(awaitable: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        await awaitable
    return str(caught.value.status()), str(caught.value.message())


def there(tensor: Any, size: int, offset: int = 0, region: str = "r") -> Any:
    tensor.set_shared_memory(region, size, offset)
    return tensor


async def test_inputs_and_outputs(api: triton.InferenceServerClient, key: str) -> None:
    """All at their places in one object, which begins behind an offset of its own."""
    await api.register_system_shared_memory("r", key, SIZE - 64, offset=64)
    write(key, ARRAY.tobytes() * 2, 64)
    result = await api.infer(
        "add_sub",
        [
            there(triton.InferInput("a", [1, 4], "INT32"), 16),
            there(triton.InferInput("b", [1, 4], "INT32"), 16, 16),
        ],
        outputs=[
            there(triton.InferRequestedOutput("sum"), 20, 100),
            there(triton.InferRequestedOutput("difference"), 16),
        ],
    )
    assert np.frombuffer(read(key, 16, 164), np.int32).tolist() == [0, 2, 4, 6]
    assert np.frombuffer(read(key, 16, 64), np.int32).tolist() == [0] * 4
    assert result.get_output("sum") == {"name": "sum", "datatype": "INT32", "shape": [1, 4]}


async def test_with_tritons_own_tools(api: triton.InferenceServerClient) -> None:
    name = f"test_oip_{uuid.uuid4().hex}"
    values = np.array([b"ab", b"", b"xyz"], object)
    packed = serialize_byte_tensor(values)
    size = len(packed.item())
    handle = shm.create_shared_memory_region("text", name, 1024)
    try:
        shm.set_shared_memory_region(handle, [packed])
        await api.register_system_shared_memory("text", name, 1024)
        assert await api.get_system_shared_memory_status("text") == [
            {"name": "text", "key": name, "offset": 0, "byte_size": 1024}
        ]
        await api.infer(
            "text",
            [there(triton.InferInput("x", [3], "BYTES"), size, region="text")],
            outputs=[there(triton.InferRequestedOutput("y"), 512, 512, region="text")],
        )
        back = shm.get_contents_as_numpy(handle, np.object_, [3], offset=512)
        assert back.tolist() == values.tolist()
    finally:
        shm.destroy_shared_memory_region(handle)


async def test_a_region_may_go_while_it_is_named(
    api: triton.InferenceServerClient, key: str
) -> None:
    await api.register_system_shared_memory("r", key, SIZE)
    await api.register_system_shared_memory("s", key, SIZE)
    assert len(await api.get_system_shared_memory_status()) == 2
    await api.unregister_system_shared_memory("r")
    await api.unregister_system_shared_memory("r")
    assert [one["name"] for one in await api.get_system_shared_memory_status()] == ["s"]
    await api.unregister_system_shared_memory()
    assert await api.get_system_shared_memory_status() == []
    inputs = [there(triton.InferInput(name, [1, 4], "INT32"), 16) for name in "ab"]
    status, message = await refusal(api.infer("add_sub", inputs))
    assert (status, "Unable to find shared memory region: 'r'" in message) == ("404", True)
    assert (await refusal(api.get_system_shared_memory_status("r")))[0] == "404"


async def test_a_name_is_registered_once(api: triton.InferenceServerClient, key: str) -> None:
    await api.register_system_shared_memory("r", key, SIZE)
    assert await refusal(api.register_system_shared_memory("r", key, SIZE)) == (
        "400",
        "shared memory region 'r' already in manager",
    )


KEYS = ["", "/", "//x", "a/b", "../x", "/..", ".", "/../etc/passwd", "x\0y", "a" * 256]


@pytest.mark.parametrize("bad", KEYS)
async def test_keys_are_names(api: triton.InferenceServerClient, bad: str) -> None:
    status, message = await refusal(api.register_system_shared_memory("r", bad, 1))
    assert status == "400"
    assert "its key is no name of a shared memory object" in message


@pytest.mark.parametrize("bad", ["sem.x", "/triton_python_backend_shm_region_1", "tensorgate_x"])
async def test_keys_of_servers_are_reserved(api: triton.InferenceServerClient, bad: str) -> None:
    status, message = await refusal(api.register_system_shared_memory("r", bad, 1))
    assert (status, "reserved" in message) == ("400", True)


PLACES = {
    "beyond the object": (SIZE, 1),
    "size beyond": (0, SIZE + 1),
    "overflow": (2**62, 2**62),
    "beyond 64 bits": (2**70, 1),
    "no size": (0, 0),
    "negative size": (0, -1),
    "negative offset": (-1, 1),
}


@pytest.mark.parametrize(("offset", "size"), PLACES.values(), ids=PLACES)
async def test_regions_lie_within_their_objects(
    client: Client, key: str, offset: int, size: int
) -> None:
    answer = await client.ask(
        "POST",
        "/v2/systemsharedmemory/region/r/register",
        json={"key": key, "offset": offset, "byte_size": size},
    )
    assert answer.status == 400
    assert answer.error
    assert (await client.get("/v2/systemsharedmemory/status")).json == []


@pytest.mark.parametrize("body", [{}, {"key": 1}, {"key": "k"}, {"key": "k", "byte_size": "1"}, []])
async def test_registrations_that_say_too_little(client: Client, body: Any) -> None:
    answer = await client.ask("POST", "/v2/systemsharedmemory/region/r/register", json=body)
    assert answer.status == 400


async def test_there_is_no_such_object(api: triton.InferenceServerClient) -> None:
    status, message = await refusal(api.register_system_shared_memory("r", "/not_there_at_all", 1))
    assert (status, message) == ("400", "Unable to open shared memory region: 'r'")


def shared_input(name: str, size: int, offset: int = 0, shape: Any = (1, 4)) -> dict[str, Any]:
    return {
        "name": name,
        "datatype": "INT32",
        "shape": list(shape),
        "parameters": {
            "shared_memory_region": "r",
            "shared_memory_byte_size": size,
            "shared_memory_offset": offset,
        },
    }


async def test_tensors_lie_within_their_regions(
    client: Client, api: triton.InferenceServerClient, key: str
) -> None:
    await api.register_system_shared_memory("r", key, 64, offset=SIZE - 64)
    good = shared_input("a", 16)
    for bad, message in (
        (shared_input("b", 16, 49), "input 'b': 16 bytes at offset 49 are not within"),
        (shared_input("b", 65), "input 'b': 65 bytes at offset 0 are not within"),
        (shared_input("b", 16, 2**63), "are not within"),
        (shared_input("b", 12), "input byte size mismatch for input 'b'"),
        (shared_input("b", 2**40, 0, (2**38,)), "at most 67108864 can be in one request"),
    ):
        answer = await infer(client, "add_sub", {"inputs": [good, bad]})
        assert (answer.status, message in answer.error) == (400, True), answer.error
    inputs = [good, shared_input("b", 16)]
    for parameters, message in (
        ({"shared_memory_byte_size": 15}, "(15 bytes) should be at least 16 bytes to hold"),
        ({"shared_memory_byte_size": 16, "shared_memory_offset": 49}, "are not within"),
        ({"shared_memory_byte_size": 16, "shared_memory_region": "s"}, "Unable to find shared"),
    ):
        output = {"name": "sum", "parameters": {"shared_memory_region": "r", **parameters}}
        answer = await infer(client, "add_sub", {"inputs": inputs, "outputs": [output]})
        assert (answer.status in (400, 404), message in answer.error) == (True, True)
    assert (await infer(client, "add_sub", {"inputs": inputs})).status == 200


async def test_large_outputs(api: triton.InferenceServerClient, tmp_path: Path) -> None:
    """Written on the codec's thread."""
    array = np.random.default_rng(1).random((1, 50_000), np.float32)
    name = f"test_oip_{uuid.uuid4().hex}"
    handle = shm.create_shared_memory_region("big", name, array.nbytes)
    try:
        shm.set_shared_memory_region(handle, [array])
        await api.register_system_shared_memory("big", name, array.nbytes)
        await api.infer(
            "big",
            [there(triton.InferInput("x", list(array.shape), "FP32"), array.nbytes, region="big")],
            outputs=[there(triton.InferRequestedOutput("y"), array.nbytes, region="big")],
        )
        back = shm.get_contents_as_numpy(handle, np.float32, array.shape)
        np.testing.assert_array_equal(back, array)
        del back
    finally:
        shm.destroy_shared_memory_region(handle)
