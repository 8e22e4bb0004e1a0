"""Variable lengths in one batch: padding, masks, lengths and trimming, set up by the TOML file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Tensors
from gateway.backends.tensorflow import TensorFlowBackend
from gateway.config import load
from gateway.config.settings import Settings
from tests import saved_models
from tests.gateway.conftest import Repository
from tests.gateway.fake_backend import FakeBackend, FakeSignature, Outputs, by_name, spec
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import folders, serving, until

MASKED = """
[models.m]
base_path = "m"
[models.m.padding.ids]
axes = [1]
value = 9
buckets = [4, 8]
mask_input = "mask"
length_input = "lengths"
[models.m.trim.hidden]
1 = "ids:1"
"""


def weigh(inputs: Tensors) -> Outputs:
    """Masked sums, and per place twice the id."""
    ids, mask = inputs["ids"], inputs["mask"]
    return {"sum": (ids * mask).sum(axis=1), "hidden": ids * 2}


def masked_model() -> FakeSignature:
    return FakeSignature(
        weigh,
        by_name(spec("ids", np.int32, None), spec("mask", np.int32, None), spec("lengths", "i4")),
        by_name(spec("hidden", np.int32, None), spec("sum", np.int32)),
    )


async def settings_of(root: Path, toml: str, **flags: str) -> Settings:
    """The settings that a server started in ``root`` would have."""
    (root / "tensorgate.toml").write_text(toml)
    loaded = await asyncio.to_thread(load, flags, {}, root)
    return loaded.settings


async def ask_together(
    root: Path, fake: FakeSignature, toml: str, bodies: list[Any]
) -> list[dict[str, Any]]:
    """Answers of requests that wait while the first one runs."""
    folders(root, "m/1")
    settings = await settings_of(root, toml, warmup="false")
    async with serving(settings, FakeBackend({"m": fake})) as client:
        fake.valve.shut()
        first = asyncio.create_task(client.predict("m", bodies[0]))
        await until(lambda: len(fake.batches) == 1)
        others = [asyncio.create_task(client.predict("m", body)) for body in bodies[1:]]
        rows = len(bodies) - 1
        await until(lambda: client.waiting_rows("m") == rows)
        fake.valve.open()
        answers = await asyncio.gather(first, *others)
        assert await client.metric("tensorgate_batch_padding_ratio_sum", model="m") > 0
    assert [answer.status for answer in answers] == [200] * len(bodies)
    return [answer.json for answer in answers]


async def test_lengths_share_a_batch(tmp_path: Path) -> None:
    fake = masked_model()
    rows = [[7] * 3, [1, 2, 3], [4, 5, 6, 7], [8, 9]]
    bodies = [{"instances": [{"ids": row}]} for row in rows]
    answers = await ask_together(tmp_path, fake, MASKED, bodies)
    for row, answer in zip(rows, answers, strict=True):
        assert answer == {"predictions": [{"hidden": [2 * i for i in row], "sum": sum(row)}]}
    batch = fake.batches[1]
    order = np.argsort(batch["ids"][:, 0])
    assert batch["ids"][order].tolist() == [[1, 2, 3, 9], [4, 5, 6, 7], [8, 9, 9, 9]]
    assert batch["mask"][order].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["lengths"][order].tolist() == [3, 4, 2]


async def test_a_mask_that_a_request_brings_is_kept(tmp_path: Path) -> None:
    fake = masked_model()
    own = {"ids": [1, 2, 3], "mask": [0, 1, 1], "lengths": 3}
    bodies = [{"instances": [{"ids": [5, 5]}]}, {"instances": [own]}, {"instances": [own]}]
    answers = await ask_together(tmp_path, fake, MASKED, bodies)
    assert [answer["predictions"][0]["sum"] for answer in answers] == [10, 5, 5]


async def test_inputs_that_do_not_fit_each_other(tmp_path: Path) -> None:
    folders(tmp_path, "m/1")
    settings = await settings_of(tmp_path, MASKED, warmup="false")
    async with serving(settings, FakeBackend({"m": masked_model()})) as client:
        answer = await client.predict("m", {"instances": [{"ids": 5}]})
        assert answer.status == 400
        assert "ids" in harmless_error(answer)


async def test_rules_for_names_that_the_model_lacks(tmp_path: Path) -> None:
    folders(tmp_path, "m/1")
    settings = await settings_of(tmp_path, MASKED, warmup="false")
    async with serving(settings, FakeBackend({"m": FakeSignature()})) as client:
        answer = await client.get("/readyz")
        reason = "padding names ids, but the model has x"
        assert answer.json["models"] == {"m": reason}


LENGTHS = """
[models.m]
base_path = "m"
[models.m.padding.x]
axes = [1]
[models.m.trim.doubled]
1 = "x:1"
"""


@pytest.mark.tf
async def test_a_real_model_gives_every_length_its_own_answer(
    repository: Repository, tensorflow_backend: TensorFlowBackend
) -> None:
    root = repository(m=saved_models.variable_length)
    settings = await settings_of(root, LENGTHS, batching="on")
    random = np.random.default_rng(3)
    rows = [random.integers(0, 100, 1 + n % 23).tolist() for n in range(200)]
    async with serving(settings, tensorflow_backend) as client:
        answers = await asyncio.gather(*[client.predict("m", {"instances": [r]}) for r in rows])
        for row, answer in zip(rows, answers, strict=True):
            doubled = [2.0 * value for value in row]
            assert answer.json == {"predictions": [{"doubled": doubled, "total": sum(row)}]}
        runs = await client.metric("tensorgate_batch_rows_count", model="m")
        assert runs < 200
