"""Triton's own HTTP clients, the blocking one and the one for asyncio: all calls but inference."""

from __future__ import annotations

import inspect
from pathlib import Path

import tritonclient.http as blocking
import tritonclient.http.aio as nonblocking

from gateway.models.policies import MOST_BATCH_SIZE
from tests.oip.contents import CONTENTS
from tests.oip.triton_http import Ask, both, refusal


async def test_health(ask: Ask) -> None:
    assert await ask("is_server_live") is True
    assert await ask("is_server_ready") is True
    assert await ask("is_model_ready", "v") is True
    assert await ask("is_model_ready", "v", "2") is True
    assert await ask("is_model_ready", "v", "7") is False
    assert await ask("is_model_ready", "nobody") is False


async def test_metadata(ask: Ask) -> None:
    server = await ask("get_server_metadata")
    assert server["name"] == "tensorgate"
    assert "binary_tensor_data" in server["extensions"]
    assert await ask("get_model_metadata", "add_sub") == {
        "name": "add_sub",
        "versions": ["1"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": name, "datatype": "INT32", "shape": [-1, 4]} for name in ("a", "b")],
        "outputs": [
            {"name": name, "datatype": "INT32", "shape": [-1, 4]} for name in ("sum", "difference")
        ],
    }
    assert (await ask("get_model_metadata", "v"))["versions"] == ["1", "2"]
    assert (await ask("get_model_metadata", "v", "2"))["versions"] == ["2"]
    assert await refusal(ask("get_model_metadata", "nobody")) == (
        "404",
        "Request for unknown model: 'nobody' is not found",
    )


async def test_config(ask: Ask) -> None:
    config = await ask("get_model_config", "add_sub", "1")
    assert (config["name"], config["platform"], config["max_batch_size"]) == (
        "add_sub",
        "tensorflow_savedmodel",
        MOST_BATCH_SIZE,
    )
    assert [(one["name"], one["data_type"], one["dims"]) for one in config["input"]] == [
        ("a", "TYPE_INT32", [4]),
        ("b", "TYPE_INT32", [4]),
    ]


async def test_statistics(ask: Ask) -> None:
    for _ in range(3):
        await ask("infer", "add_sub", both())
    [model] = (await ask("get_inference_statistics", "add_sub", "1"))["model_stats"]
    assert (model["name"], model["version"]) == ("add_sub", "1")
    assert (model["inference_count"], model["execution_count"]) == (3, 3)
    assert model["inference_stats"]["success"]["count"] == 3
    every = (await ask("get_inference_statistics"))["model_stats"]
    assert len(every) == len(CONTENTS)
    assert (await refusal(ask("get_inference_statistics", "nobody"))) == (
        "400",
        "requested model 'nobody' is not available",
    )


async def test_the_repository(ask: Ask) -> None:
    index = await ask("get_model_repository_index")
    assert {"name": "v", "version": "2", "state": "READY", "reason": ""} in index
    assert len(index) == len(CONTENTS)
    for method in ("load_model", "unload_model"):
        assert await refusal(ask(method, "add_sub")) == (
            "503",
            "explicit model load / unload is not allowed if polling is enabled",
        )


async def test_trace_settings(ask: Ask) -> None:
    assert (await ask("get_trace_settings"))["trace_level"] == ["OFF"]
    changed = await ask(
        "update_trace_settings",
        model_name="add_sub",
        settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "1"},
    )
    assert (changed["trace_level"], changed["trace_rate"]) == (["TIMESTAMPS"], "1")
    assert (await ask("get_trace_settings", "add_sub")) == changed
    assert (await ask("get_trace_settings"))["trace_rate"] == "1000"
    settings = {"trace_level": None, "trace_rate": None}
    cleared = await ask("update_trace_settings", model_name="add_sub", settings=settings)
    assert (cleared["trace_level"], cleared["trace_rate"]) == (["OFF"], "1000")
    status, message = await refusal(ask("update_trace_settings", settings={"trace_file": "/x"}))
    assert (status, "trace_file cannot be set" in message) == ("400", True)


async def test_log_settings(ask: Ask) -> None:
    before = await ask("get_log_settings")
    changed = await ask("update_log_settings", {"log_verbose_level": 1, "log_info": True})
    assert changed == {**before, "log_verbose_level": 1, "log_info": True}
    assert await ask("get_log_settings") == changed
    status, message = await refusal(ask("update_log_settings", {"log_file": "/x"}))
    assert (status, "log_file cannot be set" in message) == ("400", True)


async def test_shared_memory_is_off(ask: Ask) -> None:
    assert await ask("get_system_shared_memory_status") == []
    await ask("unregister_system_shared_memory")
    status, message = await refusal(ask("register_system_shared_memory", "r", "/key", 64))
    assert (status, "--allow_client_shm" in message) == ("400", True)


async def test_cuda_shared_memory(ask: Ask) -> None:
    assert await ask("get_cuda_shared_memory_status") == []
    await ask("unregister_cuda_shared_memory")
    status, message = await refusal(ask("register_cuda_shared_memory", "r", b"handle", 0, 64))
    assert (status, "not supported" in message) == ("501", True)


def test_no_call_is_forgotten() -> None:
    """All that the clients can do is in one of the tests."""
    folder = Path(__file__).parent
    source = "".join(one.read_text() for one in folder.glob("test_tritonclient*.py"))
    for client_class in (blocking.InferenceServerClient, nonblocking.InferenceServerClient):
        methods = dict(inspect.getmembers(client_class, inspect.isfunction))
        calls = [name for name in methods if not name.startswith("_") and name != "close"]
        ours = {"plugin", "register_plugin", "unregister_plugin"}
        missing = [name for name in calls if name not in source and name not in ours]
        assert not missing
