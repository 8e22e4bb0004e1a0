"""Batchers in simulated time: who sets nothing gets at least the better of batch 1 and 32."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from batching import BatchPolicy, Padding, PadInput
from tests.batching.simulation import Record, Seconds, Simulation

AUTO = BatchPolicy(max_batch_size=512, first_batch_size=32)
ONE = BatchPolicy(max_batch_size=1)
UP_TO_32 = BatchPolicy(max_batch_size=32, adaptive=False)

MODELS = {
    "nearly-free": (50e-6, 0.6e-6),
    "gains-8-fold": (2.8e-3, 0.32e-3),
    "gains-a-third": (0.45e-3, 1.39e-3),
    "gains-nothing": (0.1e-3, 15e-3),
}
"""Seconds of a run's fixed part and of a row, of models as they are measured on one core."""


def noisy(fixed: float, per_row: float, noise: float) -> Seconds:
    rng = random.Random(7)
    return lambda rows, length: (fixed + per_row * rows) * rng.lognormvariate(0, noise)


async def measure(
    policy: BatchPolicy, model: str, clients: int, devices: int, noise: float
) -> Record:
    fixed, per_row = MODELS[model]
    simulation = Simulation(policy, noisy(fixed, per_row, noise), devices)
    seconds = 25 * (fixed + per_row * clients)
    return await simulation.closed_loop(clients, seconds, warm=seconds)


@pytest.mark.parametrize("noise", [0.0, 0.15])
@pytest.mark.parametrize("clients", [1, 8, 64])
@pytest.mark.parametrize("model", MODELS)
async def test_the_better_of_batch_1_and_32(model: str, clients: int, noise: float) -> None:
    auto, one, up_to_32 = [
        await measure(policy, model, clients, 1, noise) for policy in (AUTO, ONE, UP_TO_32)
    ]
    assert auto.throughput >= 0.95 * max(one.throughput, up_to_32.throughput)
    assert auto.p50 * 0.95 <= min(one.p50, up_to_32.p50)


@pytest.mark.parametrize("clients", [1, 8, 64])
@pytest.mark.parametrize("model", MODELS)
async def test_the_better_of_batch_1_and_32_on_two_devices(model: str, clients: int) -> None:
    """By chance callers form two groups that never wait, or three of which one always does; or some
    of them have a device for themselves while most wait for long: so it is not the median."""
    auto, one, up_to_32 = [
        await measure(policy, model, clients, 2, 0.15) for policy in (AUTO, ONE, UP_TO_32)
    ]
    assert auto.throughput >= 0.9 * max(one.throughput, up_to_32.throughput)
    assert auto.p90 <= 1.4 * min(one.p90, up_to_32.p90)


@pytest.mark.parametrize(("model", "gain"), [("nearly-free", 1.8), ("gains-8-fold", 1.1)])
async def test_batches_grow_beyond_32_where_that_pays(model: str, gain: float) -> None:
    auto = await measure(AUTO, model, 256, 1, 0.15)
    up_to_32 = await measure(UP_TO_32, model, 256, 1, 0.15)
    assert auto.throughput >= gain * up_to_32.throughput
    assert auto.p50 <= up_to_32.p50 / gain


async def test_waiting_rows_are_divided_between_two_free_devices() -> None:
    simulation = Simulation(AUTO, lambda rows, length: 0.002 + 0.005 * rows, devices=2)
    await simulation.open_loop(itertools.repeat(0.008), 60)
    simulation.sizes.clear()
    await simulation.open_loop(itertools.chain([1.0], itertools.repeat(0.0)), 8)
    assert simulation.sizes == [4, 4]


async def test_of_what_runs_one_by_one_as_fast_each_device_takes_one() -> None:
    simulation = Simulation(AUTO, lambda rows, length: 0.015 * rows, devices=2)
    await simulation.closed_loop(64, 10.0)
    simulation.sizes.clear()
    record = await simulation.closed_loop(8, 6.0)
    assert Counter(record.sizes).most_common(1)[0][0] == 1
    assert record.p50 <= 0.06 + 1e-9


async def test_a_slow_phase_does_not_end_batching() -> None:
    slow: float = 1.0

    def seconds(rows: int, length: int) -> float:
        return slow * (0.0028 + 0.0003 * rows)

    simulation = Simulation(AUTO, seconds)
    before = await simulation.closed_loop(256, 4.0, warm=1.0)
    slow = 5.0
    during = await simulation.closed_loop(256, 8.0, warm=1.0)
    slow = 1.0
    after = await simulation.closed_loop(256, 4.0, warm=1.0)
    assert during.throughput >= 0.9 * before.throughput / 5
    assert after.throughput >= 0.9 * before.throughput


async def test_one_stall_costs_no_more_than_itself() -> None:
    runs = itertools.count()

    def seconds(rows: int, length: int) -> float:
        return 0.0028 + 0.0003 * rows + (2.0 if next(runs) == 300 else 0.0)

    simulation = Simulation(AUTO, seconds)
    calm = await simulation.closed_loop(64, 3.0, warm=1.0)
    stalled = await simulation.closed_loop(64, 10.0)
    assert next(runs) > 300
    assert stalled.throughput * 10.0 >= 0.95 * calm.throughput * (10.0 - 2.0)


async def test_trials_cost_little_where_batching_pays_most() -> None:
    simulation = Simulation(AUTO, lambda rows, length: 0.004)
    record = await simulation.closed_loop(600, 1.5, warm=1.5)
    # Two groups of callers that take turns.
    assert record.throughput >= 0.97 * 600 / (2 * 0.004)


def sentence_lengths(seed: int = 0) -> Iterator[int]:
    """Median 24 tokens, 95th percentile 178, as sentences of mixed sources have."""
    rng = random.Random(seed)
    while True:
        yield min(512, max(3, int(math.exp(rng.gauss(math.log(24), 1.22)))))


def in_order_of_arrival(fixed: float, per_entry: float) -> float:
    """Rows a second of full batches of 32, each padded to its longest."""
    lengths = list(itertools.islice(sentence_lengths(), 6400))
    longest = [max(lengths[start : start + 32]) for start in range(0, len(lengths), 32)]
    return len(lengths) / sum(fixed + per_entry * 32 * length for length in longest)


@pytest.mark.parametrize("clients", [64, 256])
@pytest.mark.parametrize(
    ("fixed", "per_entry"),
    [
        pytest.param(0.011, 0.0003, id="transformer-on-one-core"),
        pytest.param(0.005, 0.000005, id="mostly-fixed"),
    ],
)
async def test_batches_by_length_run_twice_the_rows(
    fixed: float, per_entry: float, clients: int
) -> None:
    policy = BatchPolicy(
        max_batch_size=512, first_batch_size=32, padding=Padding({"x": PadInput()})
    )
    simulation = Simulation(policy, lambda rows, length: fixed + per_entry * rows * length)
    in_order = in_order_of_arrival(fixed, per_entry)
    seconds = 1500 / in_order
    record = await simulation.closed_loop(clients, seconds / 2, sentence_lengths(), warm=seconds)
    assert record.throughput >= 2 * in_order
    # In order of arrival every caller would wait for clients / in_order.
    assert record.p99 <= 1.2 * clients / in_order
