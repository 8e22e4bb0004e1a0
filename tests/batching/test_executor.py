"""Where jobs run: on a device's thread, or inline on the loop."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from batching import Batcher, BatchPolicy, DevicePool, DeviceThread, Executor, InlineExecutor
from batching.testing import settle
from tests.batching.harness import Arrays, answer, double, rows

PATIENCE = 10.0
"""Seconds after which a test gives up; none is ever waited for in vain when the code is right."""


class Exit(BaseException):
    """What is no Exception."""


def execute(executor: Executor, job: Callable[[], Any]) -> asyncio.Future[Any]:
    """The future of what an executor reports of a job."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(result: Any, error: BaseException | None) -> None:
        # A future takes no BaseException such as SystemExit: hand it over as a value.
        future.set_result(result if error is None else error)

    executor.execute(job, done)
    return future


@pytest.fixture
async def thread() -> Any:
    thread = DeviceThread("gpu:0")
    yield thread
    thread.close()
    assert thread.join(PATIENCE)


async def test_jobs_run_on_one_named_thread(thread: DeviceThread) -> None:
    threads = [await execute(thread, threading.current_thread) for _ in range(3)]
    assert threads[0].name == "device gpu:0"
    assert threads[0].daemon
    assert len(set(threads)) == 1
    assert thread.name == "gpu:0"


async def test_results_are_reported_on_the_loop(thread: DeviceThread) -> None:
    reported: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    thread.execute(lambda: 7, lambda result, error: reported.set_result(threading.get_ident()))
    assert await asyncio.wait_for(reported, PATIENCE) == threading.get_ident()


async def test_jobs_run_in_order(thread: DeviceThread) -> None:
    ran: list[int] = []
    futures = [execute(thread, partial(ran.append, n)) for n in range(200)]
    await asyncio.wait_for(asyncio.gather(*futures), PATIENCE)
    assert ran == list(range(200))


@pytest.mark.parametrize(
    "error", [ValueError("bad"), StopIteration(), Exit(), SystemExit(3), KeyboardInterrupt()]
)
async def test_whatever_a_job_raises_is_reported_and_the_thread_lives_on(
    thread: DeviceThread, error: BaseException
) -> None:
    def job() -> None:
        raise error

    assert await asyncio.wait_for(execute(thread, job), PATIENCE) is error
    assert await asyncio.wait_for(execute(thread, lambda: "next"), PATIENCE) == "next"


async def test_the_loop_is_free_while_a_job_runs(thread: DeviceThread) -> None:
    started, release = threading.Event(), threading.Event()

    def job() -> bool:
        started.set()
        return release.wait(PATIENCE)

    future = execute(thread, job)
    assert started.wait(PATIENCE)
    await settle()
    assert not future.done()
    assert not thread.join(0)
    release.set()
    assert await asyncio.wait_for(future, PATIENCE)


async def test_jobs_given_before_close_still_run() -> None:
    thread = DeviceThread("d")
    futures = [execute(thread, lambda: "ran") for _ in range(3)]
    thread.close()
    assert thread.join(PATIENCE)
    assert repr(thread) == "<DeviceThread d stopped>"
    await settle()
    assert [future.result() for future in futures] == ["ran"] * 3


async def test_a_job_does_not_outlive_its_report(thread: DeviceThread) -> None:
    class Payload:
        """Stands for a batch's arrays."""

    payload, gone = Payload(), threading.Event()
    weakref.finalize(payload, gone.set)
    future = execute(thread, partial(id, payload))
    del payload
    await asyncio.wait_for(future, PATIENCE)
    assert gone.wait(PATIENCE), "the thread waits for the next job with this one in its hands"


@pytest.fixture
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def test_a_loop_that_is_closed_meanwhile(own_loop: asyncio.AbstractEventLoop) -> None:
    thread = DeviceThread("d", own_loop)
    started, release, next_ran = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        started.set()
        release.wait(PATIENCE)

    reports: list[Any] = []
    thread.execute(job, lambda result, error: reports.append(result))
    assert started.wait(PATIENCE)
    own_loop.close()
    release.set()
    thread.execute(next_ran.set, lambda result, error: reports.append(result))
    assert next_ran.wait(PATIENCE), "the thread died of the closed loop"
    thread.close()
    assert thread.join(PATIENCE)
    assert reports == []


async def test_inline_reports_after_execute_returned() -> None:
    executor = InlineExecutor("here")
    future = execute(executor, threading.get_ident)
    assert not future.done()
    assert await future == threading.get_ident()
    assert executor.name == "here"
    executor.close()


@pytest.mark.parametrize("error", [ValueError("bad"), StopIteration(), Exit()])
async def test_inline_reports_whatever_a_job_raises(error: BaseException) -> None:
    def job() -> None:
        raise error

    executor = InlineExecutor()
    assert await execute(executor, job) is error
    assert await execute(executor, lambda: "next") == "next"


async def test_a_batcher_on_a_device_thread(thread: DeviceThread) -> None:
    def run(inputs: Arrays) -> Arrays:
        names.add(threading.current_thread().name)
        return double(inputs)

    names: set[str] = set()
    async with Batcher(run, DevicePool([thread]), BatchPolicy(max_batch_size=8)) as batcher:
        items = [batcher.submit(rows(n, n + 0.5)) for n in range(100)]
        await asyncio.wait_for(asyncio.gather(*items), PATIENCE)
    assert [answer(item) for item in items] == [[2 * n, 2 * n + 1] for n in range(100)]
    assert names == {"device gpu:0"}
    assert batcher.statistics().batches >= 25


async def test_two_device_threads_run_at_once() -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def run(inputs: Arrays) -> Arrays:
        both.wait()
        return double(inputs)

    threads = [DeviceThread(name) for name in ("a", "b")]
    pool = DevicePool(threads)
    async with Batcher(run, pool, BatchPolicy(max_batch_size=1)) as batcher:
        items = [batcher.submit(rows(n)) for n in (1, 2)]
        await asyncio.wait_for(asyncio.gather(*items), 2 * PATIENCE)
    pool.close()
    assert all(thread.join(PATIENCE) for thread in threads)
    assert [answer(item) for item in items] == [[2], [4]]
    assert {item.timing.executor for item in items if item.timing} == {"a", "b"}


async def test_an_inline_batcher() -> None:
    async with Batcher(double, DevicePool([InlineExecutor()])) as batcher:
        items = [batcher.submit(rows(n)) for n in range(40)]
        await asyncio.gather(*items)
    assert [answer(item) for item in items] == [[2 * n] for n in range(40)]
    assert batcher.statistics().batches == 2


async def test_an_inline_batcher_survives_what_is_no_exception() -> None:
    def run(inputs: Arrays) -> Arrays:
        if (inputs["x"] < 0).any():
            raise Exit
        return double(inputs)

    batcher = Batcher(run, DevicePool([InlineExecutor()]))
    items = []
    for value in (-1, 2):
        items.append(batcher.submit(rows(value)))
        await settle()
    assert items[0].done()
    assert items[0].exception() is not None
    assert items[1].done()
    assert answer(items[1]) == [4]
