"""Devices: their threads, which models run where, and that models do not block each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.config.settings import Settings
from gateway.errors import ServingError
from tests.gateway.fake_backend import FakeBackend, FakeSignature
from tests.gateway.serving import serving_fakes, until

TWO = ("cpu:0", "cpu:1")


async def test_a_slow_model_does_not_block_a_fast_one(tmp_path: Path) -> None:
    slow, fast = FakeSignature(), FakeSignature()
    models = {"slow": {"devices": ("cpu:0",)}}
    contents = {"slow": slow, "fast": fast}
    async with serving_fakes(tmp_path, contents, devices=TWO, models=models) as client:
        slow.valve.shut()
        # More than one device could take: they wait for cpu:0 alone.
        held = [
            asyncio.create_task(client.predict("slow", {"instances": [[n] * (1 + n)]}))
            for n in range(4)
        ]
        await until(lambda: client.waiting_rows("slow") == 3)
        for number in range(20):
            answer = await client.predict("fast", {"instances": [number]})
            assert answer.json == {"predictions": [2.0 * number]}
        assert set(fast.devices) == {"cpu:1"}
        slow.valve.open()
        answers = await asyncio.gather(*held)
        assert [answer.status for answer in answers] == [200] * 4
        assert set(slow.devices) == {"cpu:0"}


async def test_one_held_run_leaves_the_other_device_free(tmp_path: Path) -> None:
    slow, fast = FakeSignature(), FakeSignature()
    async with serving_fakes(tmp_path, {"slow": slow, "fast": fast}, devices=TWO) as client:
        slow.valve.shut()
        held = asyncio.create_task(client.predict("slow", {"instances": [1]}))
        await until(lambda: len(slow.batches) == 1)
        for number in range(20):
            answer = await client.predict("fast", {"instances": [number]})
            assert answer.json == {"predictions": [2.0 * number]}
        assert set(fast.devices).isdisjoint(slow.devices)
        slow.valve.open()
        assert (await held).json == {"predictions": [2.0]}


async def test_both_devices_work_for_one_model(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}, devices=TWO, max_batch_size=1) as client:
        fake.valve.shut()
        held = [asyncio.create_task(client.predict("m", {"instances": [n]})) for n in range(2)]
        await until(lambda: len(fake.batches) == 2)
        assert sorted(fake.devices) == ["cpu:0", "cpu:1"]
        fake.valve.open()
        await asyncio.gather(*held)
        busy = [await client.metric("tensorgate_device_busy_seconds_total", device=d) for d in TWO]
        assert all(seconds > 0 for seconds in busy)


async def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    settings = Settings.model_validate({"devices": ("gpu:3",), "model_base_path": str(tmp_path)})
    with pytest.raises(ServingError) as caught:
        Gateway(settings, FakeBackend({}))
    assert caught.value.message == "devices: gpu:3 not found; this host has cpu:0"


async def test_a_model_of_a_device_that_is_not_used(tmp_path: Path) -> None:
    contents = {"m": FakeSignature(), "other": FakeSignature()}
    models = {"other": {"devices": ("cpu:7",)}}
    async with serving_fakes(tmp_path, contents, models=models) as client:
        answer = await client.get("/readyz")
        assert answer.status == 503
        reason = "devices cpu:7 are not among cpu:0"
        assert answer.json == {"status": "not ready", "models": {"other": reason}}
        assert (await client.predict("m", {"instances": [1]})).status == 200
