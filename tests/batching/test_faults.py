"""Faults of the batcher's own code: every item completes, and the batcher goes on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
import pytest

from batching import (
    BatchFailed,
    BatchPolicy,
    BatchQueue,
    DeadlineExceeded,
    Item,
    LatencyModel,
    Padding,
    PadInput,
)
from batching.scatter import deliver
from batching.tensors import Assembler
from batching.testing import settle
from tests.batching.harness import Arrays, Bench, answer

FOUR = BatchPolicy(max_batch_size=4)


class Fault(RuntimeError):
    """A bug."""


def faulty(*args: Any, **options: Any) -> NoReturn:
    raise Fault


async def assert_goes_on(bench: Bench) -> None:
    items = [bench.submit(n) for n in (1, 2)]
    await bench.finish_all()
    assert [answer(item) for item in items] == [[2], [4]]
    stats = bench.batcher.statistics()
    assert (stats.waiting_rows, stats.running_batches) == (0, 0)
    done = stats.answered + stats.failed + stats.cancelled + stats.expired
    assert stats.submitted == done


def failed(item: Item) -> bool:
    return isinstance(item.exception(), BatchFailed)


@pytest.mark.parametrize("method", ["take", "expire"])
async def test_of_the_queue(method: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FOUR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchQueue, method, faulty)
        items = [bench.submit(n) for n in (1, 2, 3)]
        await settle()
        assert all(failed(item) for item in items)
        assert isinstance(items[0].exception().__cause__, Fault)  # type: ignore[union-attr]
    assert "the queue failed" in caplog.text
    await assert_goes_on(bench)


async def test_of_the_queue_while_a_batch_runs() -> None:
    bench = Bench(FOUR, devices=2)
    running = await bench.start(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchQueue, "take", faulty)
        lost = bench.submit(6)
        await settle()
    assert failed(lost)
    await bench.finish()
    assert answer(running) == [10]
    await assert_goes_on(bench)


async def test_of_the_queue_leaves_the_deadline_of_a_running_item_in_force() -> None:
    bench = Bench(FOUR, devices=2)
    hung = bench.submit(5, deadline=3.0)
    await settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchQueue, "take", faulty)
        bench.submit(6)
        await settle()
    bench.clock.advance(3.0)
    assert hung.done()
    assert isinstance(hung.exception(), DeadlineExceeded)


@pytest.fixture
def padded() -> BatchPolicy:
    padding = Padding({"x": PadInput()}, trim={"y": {1: ("x", 1)}})
    return BatchPolicy(max_batch_size=4, padding=padding)


@pytest.mark.parametrize("method", ["assemble", "split"])
async def test_of_the_assembler(method: str, padded: BatchPolicy) -> None:
    bench = Bench(padded, lambda inputs: {"y": inputs["x"] * 2})
    sent: list[Arrays] = [{"x": np.ones((1, n), np.float32)} for n in (2, 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Assembler, method, faulty)
        items = [bench.batcher.submit(inputs) for inputs in sent]
        await bench.finish_all()
        assert all(item.done() for item in items)
    items = [bench.batcher.submit(inputs) for inputs in sent]
    await bench.finish_all()
    assert [item.result()["y"].shape for item in items] == [(1, 2), (1, 3)]


async def test_of_delivery() -> None:
    # Parts of a split item are put together in a place of their own.
    module = next(name for name in modules_with_deliver() if name != "batching.scatter")
    bench = Bench(FOUR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{module}.deliver", faulty)
        split = bench.submit(*range(1, 7))
        await bench.finish_all()
        assert failed(split)
    await assert_goes_on(bench)


def modules_with_deliver() -> Iterator[str]:
    for name, module in sys.modules.items():
        if name.startswith("batching.") and getattr(module, "deliver", None) is deliver:
            yield name


async def test_of_what_is_learned() -> None:
    bench = Bench(FOUR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LatencyModel, "record", faulty)
        items = [bench.submit(n) for n in (1, 2)]
        await bench.finish_all()
        assert all(item.done() for item in items)
    await assert_goes_on(bench)


async def test_of_the_observer(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FOUR, observer=faulty)
    item = bench.submit(3)
    item.cancel()
    await assert_goes_on(bench)
    assert item.cancelled()
    assert "an observer failed" in caplog.text


async def test_an_observer_that_uses_the_batcher() -> None:
    late: list[Item] = []

    def observer(event: object) -> None:
        if len(late) < 3:
            late.append(bench.submit(7))

    bench: Bench = Bench(FOUR, observer=observer)
    await assert_goes_on(bench)
    assert [answer(item) for item in late] == [[14]] * 3


async def test_an_observer_that_closes_the_batcher() -> None:
    bench: Bench = Bench(FOUR, observer=lambda event: bench.batcher.close())
    items = [bench.submit(n) for n in range(1, 8)]
    await bench.finish_all()
    assert all(item.done() for item in items)


@pytest.mark.parametrize("devices", [1, 2])
async def test_of_a_device(devices: int, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(FOUR, devices=devices)
    items = [bench.submit(n) for n in (1, 2, 3, 4)]
    waiting = bench.submit(5)
    await settle()
    bench.executors[0].fail(Fault("device lost"))
    await settle()
    assert all(failed(item) for item in items)
    assert not waiting.done()
    assert "a batch could not be completed" in caplog.text
    await bench.finish_all()
    assert answer(waiting) == [10]
    await assert_goes_on(bench)


async def test_of_a_device_under_one_part_of_a_split_item() -> None:
    bench = Bench(FOUR)
    split, neighbour = bench.submit(*range(1, 11)), bench.submit(11)
    await settle()
    bench.executors[0].fail(Fault("device lost"))
    await settle()
    assert failed(split)
    assert bench.batcher.statistics().waiting_rows == 1
    await bench.finish_all()
    assert bench.batches == [[11]]
    assert answer(neighbour) == [22]


BAD_OUTPUTS: list[Callable[[Arrays], Any]] = [
    lambda inputs: None,
    lambda inputs: inputs["x"],
    lambda inputs: {"y": object()},
]


@pytest.mark.parametrize("run", BAD_OUTPUTS, ids=["none", "an-array", "objects"])
async def test_of_the_function(
    run: Callable[[Arrays], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    bench = Bench(FOUR, run)
    items = [bench.submit(n) for n in (1, 2, 3)]
    await bench.finish_all()
    assert all(item.done() for item in items)
    assert bench.batcher.statistics().running_batches == 0


async def test_outputs_may_be_lists() -> None:
    bench = Bench(FOUR, lambda inputs: {"y": (inputs["x"] * 2).tolist()})
    await assert_goes_on(bench)
