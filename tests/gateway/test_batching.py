"""Requests of many connections share runs, and get the answers that they would get alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.backends.base import Tensors, TensorSpec
from gateway.errors import Code, ServingError
from tests.gateway.fake_backend import FakeSignature, Outputs, by_name, double, spec
from tests.gateway.leaks import harmless_error
from tests.gateway.serving import Answer, Client, serving_fakes, until


async def gathered(client: Client, fake: FakeSignature, *bodies: Any) -> list[Answer]:
    """Answers of requests that all waited while the device was busy with the first of them."""
    submitted, runs = submissions(client), len(fake.batches)
    fake.valve.shut()
    first = asyncio.create_task(client.predict("m", bodies[0]))
    await until(lambda: len(fake.batches) > runs)
    others = [asyncio.create_task(client.predict("m", body)) for body in bodies[1:]]
    await until(lambda: submissions(client) == submitted + len(bodies))
    fake.valve.open()
    return await asyncio.gather(first, *others)


def submissions(client: Client) -> int:
    latest = client.gateway.registry.models["m"].latest
    assert latest is not None
    return latest.queues["serving_default"].batcher.statistics().submitted


async def test_concurrent_requests_share_runs(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        bodies = [{"instances": [float(number)]} for number in range(65)]
        answers = await gathered(client, fake, *bodies)
        assert [a.json["predictions"] for a in answers] == [[2.0 * n] for n in range(65)]
        assert fake.sizes == [1, 32, 32]
        labels = {"model": "m"}
        rows = await client.metric("tensorgate_batch_rows_sum", **labels)
        assert rows / await client.metric("tensorgate_batch_rows_count", **labels) == 65 / 3


async def test_sizes_count_rows(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}, max_batch_size=10) as client:
        bodies = [{"instances": [float(n)] * 4} for n in range(5)]
        answers = await gathered(client, fake, *bodies)
        assert [a.json["predictions"] for a in answers] == [[2.0 * n] * 4 for n in range(5)]
        assert fake.sizes[0] == 4
        assert max(fake.sizes) <= 10
        assert sum(fake.sizes) == 20


async def test_both_forms_share_a_run(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        bodies = [{"instances": [0]}, {"instances": [1]}, {"inputs": [2]}, {"inputs": {"x": [3]}}]
        answers = await gathered(client, fake, *bodies)
        assert answers[1].json == {"predictions": [2.0]}
        assert answers[3].json == {"outputs": [6.0]}
        assert fake.sizes == [1, 3]


async def test_one_bad_request_among_31_fails_alone(tmp_path: Path) -> None:
    fake = FakeSignature(lambda inputs: {"y": np.sqrt(double(inputs)["y"] + np.float32(0.1))})
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        values = [1.0 + n / 7 for n in range(33)]
        alone = [(await client.predict("m", {"instances": [value]})).body for value in values]
        fake.batches.clear()
        values[17] = -1.0
        answers = await gathered(client, fake, *[{"instances": [value]} for value in values])
        assert fake.sizes[:2] == [1, 32]
        assert (answers[17].status, harmless_error(answers[17])) == (400, "x must not be negative")
        others = [n for n in range(33) if n != 17]
        assert [answers[n].body for n in others] == [alone[n] for n in others]
        assert await client.metric("tensorgate_batch_reruns_total", model="m") > 0


async def test_a_mistake_that_decoding_finds_never_joins_a_batch(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        fake.valve.shut()
        good = [asyncio.create_task(client.predict("m", {"instances": [n]})) for n in range(8)]
        await until(lambda: submissions(client) == 8)
        for body in (b"{", {"instances": ["a"]}, {"instances": [[1], 2]}, {"inputs": {"z": [1]}}):
            assert (await client.predict("m", body)).status == 400
        fake.valve.open()
        answers = await asyncio.gather(*good)
        assert [a.json["predictions"] for a in answers] == [[2.0 * n] for n in range(8)]
        assert sum(fake.sizes) == 8


async def test_different_shapes_do_not_share_a_run(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        bodies: list[Any] = [{"instances": [0]}]
        bodies += [{"instances": [[1] * (1 + n % 3)]} for n in range(9)]
        answers = await gathered(client, fake, *bodies)
        for number, answer in enumerate(answers[1:]):
            assert answer.json["predictions"] == [[2.0] * (1 + number % 3)]
        assert fake.sizes == [1, 3, 3, 3]


async def test_a_large_request_is_split(tmp_path: Path) -> None:
    fake = FakeSignature()
    async with serving_fakes(tmp_path, {"m": fake}, max_batch_size=8) as client:
        answer = await client.predict("m", {"instances": list(range(50))})
        assert answer.json == {"predictions": [2.0 * n for n in range(50)]}
        assert fake.sizes == [8, 8, 8, 8, 8, 8, 2]


async def test_a_large_request_is_refused_where_it_may_not_be_split(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_batch_size": 8, "split_large_requests": False}
    async with serving_fakes(tmp_path, {"m": FakeSignature()}, **settings) as client:
        answer = await client.predict("m", {"instances": [1] * 9})
        message = "9 rows in one request; at most 8 are allowed"
        assert (answer.status, harmless_error(answer)) == (400, message)


async def test_batches_are_filled_up_to_allowed_sizes(tmp_path: Path) -> None:
    fake = FakeSignature()
    sizes: dict[str, Any] = {"max_batch_size": 16, "allowed_batch_sizes": [4, 16]}
    async with serving_fakes(tmp_path, {"m": fake}, **sizes) as client:
        answers = await gathered(client, fake, *[{"instances": [n]} for n in range(7)])
        assert [a.json["predictions"] for a in answers] == [[2.0 * n] for n in range(7)]
        assert fake.sizes == [4, 16]


def scaled(inputs: Tensors) -> Outputs:
    """Depends on the whole run: such a model must not be batched."""
    return {"y": inputs["x"] / inputs["x"].max()}


MEAN = FakeSignature(
    lambda inputs: {"mean": np.array(inputs["x"].mean())},
    outputs={"mean": TensorSpec("mean", np.dtype(np.float32), "DT_FLOAT", ())},
)
ALONE: dict[str, tuple[FakeSignature, dict[str, Any]]] = {
    "batching is off": (FakeSignature(scaled), {"batching": "off"}),
    "rows depend on each other": (FakeSignature(scaled), {"batching": "auto", "warmup": True}),
    "stateful": (FakeSignature(scaled, stateful=True, unbatchable="it is stateful"), {}),
    "declared": (FakeSignature(scaled, unbatchable="it has a fixed first dimension"), {}),
}


@pytest.mark.parametrize(("fake", "settings"), ALONE.values(), ids=ALONE)
async def test_what_is_not_batched_runs_alone_and_right(
    tmp_path: Path, fake: FakeSignature, settings: dict[str, Any]
) -> None:
    async with serving_fakes(tmp_path, {"m": fake}, **settings) as client:
        fake.batches.clear()
        bodies = [{"instances": [1.0, 2.0 + n]} for n in range(6)]
        answers = await gathered(client, fake, *bodies)
        expected = np.array([[1 / (2.0 + n), 1] for n in range(6)], np.float32)
        received = np.array([a.json["predictions"] for a in answers], np.float32)
        assert received.tolist() == expected.tolist()
        assert fake.sizes == [2] * 6


@pytest.mark.parametrize("mode", ["auto", "on"])
async def test_outputs_without_a_row_axis(tmp_path: Path, mode: str) -> None:
    MEAN.batches.clear()
    async with serving_fakes(tmp_path, {"m": MEAN}, batching=mode) as client:
        answers = await gathered(client, MEAN, *[{"inputs": [1.0, float(n)]} for n in range(6)])
        assert [a.json["outputs"] for a in answers] == [(1 + n) / 2 for n in range(6)]


async def test_columns_of_different_lengths_run_alone(tmp_path: Path) -> None:
    fake = FakeSignature(
        lambda inputs: {"y": inputs["a"] + inputs["b"].sum()}, by_name(spec("a"), spec("b"))
    )
    async with serving_fakes(tmp_path, {"m": fake}) as client:
        bodies = [{"inputs": {"a": [n, 10 * n], "b": [1, 2, 3]}} for n in range(5)]
        answers = await gathered(client, fake, *bodies)
        assert [a.json["outputs"] for a in answers] == [[n + 6.0, 10 * n + 6.0] for n in range(5)]


async def test_a_run_that_fails_unexpectedly_tells_nothing(tmp_path: Path) -> None:
    def fail(inputs: Tensors) -> Outputs:
        raise ServingError(Code.INTERNAL, "the model failed with an internal error")

    async with serving_fakes(tmp_path, {"m": FakeSignature(fail)}) as client:
        answer = await client.predict("m", {"instances": [1]})
        assert answer.status == 500
        assert harmless_error(answer) == "the model failed with an internal error"
