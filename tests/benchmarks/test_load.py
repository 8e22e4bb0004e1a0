"""Closed and open loops against servers in this process."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loadgen.answers import Sample
from benchmarks.loadgen.closed import closed_loop
from benchmarks.loadgen.load import Traffic
from benchmarks.loadgen.open import due_times, open_loop
from benchmarks.loadgen.target import Target
from tests.benchmarks.helpers import http_answer, raw_server

SAMPLES = [Sample(b"[1]", [1]), Sample(b"[2]", [2]), Sample(b"[3]", [3])]


async def echo(number: int, body: bytes) -> bytes:
    return http_answer(body)


class OneIn:
    """Every n-th answer is spoilt."""

    def __init__(self, every: int, spoilt: bytes) -> None:
        self._every = every
        self._spoilt = spoilt

    async def __call__(self, number: int, body: bytes) -> bytes:
        return self._spoilt if (number + 1) % self._every == 0 else http_answer(body)


def traffic_to(target: Target) -> Traffic:
    return Traffic(target, SAMPLES)


async def test_a_closed_loop_sends_every_sample_in_turn() -> None:
    bodies = []

    async def listen(number: int, body: bytes) -> bytes:
        bodies.append(body)
        return http_answer(body)

    async with raw_server(listen) as target:
        record = await closed_loop(traffic_to(target), 1, seconds=30, most=7)
    assert bodies == [b"[1]", b"[2]", b"[3]", b"[1]", b"[2]", b"[3]", b"[1]"]
    assert (record.answered, record.errors) == (7, 0)
    assert record.requests_per_second > 0
    assert 0 < record.latency(0.5) <= record.latency(1.0) <= record.seconds


async def test_a_closed_loop_keeps_all_its_connections_busy() -> None:
    together = asyncio.Event()
    waiting = 0

    async def meet(number: int, body: bytes) -> bytes:
        nonlocal waiting
        waiting += 1
        if waiting == 5:
            together.set()
        await together.wait()
        return http_answer(body)

    async with raw_server(meet) as target:
        record = await closed_loop(traffic_to(target), 5, seconds=30, most=20)
    assert (record.answered, record.errors) == (20, 0)


async def test_a_closed_loop_ends_in_time() -> None:
    async with raw_server(echo) as target:
        record = await closed_loop(traffic_to(target), 2, seconds=0.01)
    assert record.errors == 0
    assert record.answered >= 2


@pytest.mark.parametrize(
    ("spoilt", "fault"),
    [
        (http_answer(b"[9]"), "wrong: [9], expected [3]"),
        (http_answer(b"full", "503 Full"), "status 503: full"),
    ],
)
async def test_wrong_answers_are_counted_and_not_timed(spoilt: bytes, fault: str) -> None:
    async with raw_server(OneIn(3, spoilt)) as target:
        record = await closed_loop(traffic_to(target), 1, seconds=30, most=9)
    assert (record.answered, record.errors) == (6, 3)
    assert record.faults == {fault: 3}


async def test_lost_connections_are_errors_and_end_the_run() -> None:
    async with raw_server(OneIn(4, b"")) as target:
        record = await closed_loop(traffic_to(target), 2, seconds=30, most=100)
    assert (record.answered, record.errors) == (6, 2)


async def test_an_open_loop_sends_all_that_is_due() -> None:
    async with raw_server(echo) as target:
        record = await open_loop(traffic_to(target), due_times(1000, 0.03, "poisson"), 4)
    assert (record.answered, record.errors) == (30, 0)
    assert all(late >= 0 for late in record.lateness)


async def test_an_open_loop_counts_from_when_a_request_was_due() -> None:
    stalled = 0.05

    async def stall(number: int, body: bytes) -> bytes:
        if number == 0:
            over = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(stalled, over.set_result, None)
            await over
        return http_answer(body)

    due = [0.0, 0.001, 0.002, 0.003]
    async with raw_server(stall) as target:
        record = await open_loop(traffic_to(target), due, 1)
    # Those behind the first were sent when it was answered, and had waited all the time.
    assert record.answered == 4
    for latency, when in zip(record.latencies, due, strict=True):
        assert latency >= stalled - when - 0.002


async def test_an_open_loop_without_connections_left_charges_the_rest() -> None:
    async with raw_server(OneIn(3, b"")) as target:
        record = await open_loop(traffic_to(target), [0.0] * 10, 1)
    assert record.answered == 2
    assert record.faults == {
        "connection closed by the server": 1,
        "never sent: no free connection": 7,
    }


async def test_a_server_that_does_not_answer_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.loadgen.load.GRACE_SECONDS", 0.05)
    never = asyncio.Event()

    async def hang(number: int, body: bytes) -> bytes:
        await never.wait()
        return b""

    async with raw_server(hang) as target:
        closed = await closed_loop(traffic_to(target), 3, seconds=0.01)
        opened = await open_loop(traffic_to(target), [0.0] * 5, 2)
        never.set()
    assert closed.faults == {"no answer at the end of the run": 3}
    assert opened.faults == {
        "no answer at the end of the run": 2,
        "never sent: no free connection": 3,
    }


async def test_no_server_is_an_error() -> None:
    async with raw_server(echo) as target:
        pass
    with pytest.raises(OSError):
        await closed_loop(traffic_to(target), 1, seconds=1)


@given(st.integers(1, 5000), st.sampled_from(["constant", "poisson"]))
def test_due_times_ascend_and_have_the_rate(rate: int, arrivals: str) -> None:
    due = due_times(rate, 1.0, "poisson" if arrivals == "poisson" else "constant")
    assert len(due) == rate
    assert all(earlier <= later for earlier, later in itertools.pairwise(due))
    assert due == due_times(rate, 1.0, "poisson" if arrivals == "poisson" else "constant")


def test_constant_arrivals_are_evenly_spaced() -> None:
    assert due_times(4, 1.0, "constant") == [0.0, 0.25, 0.5, 0.75]


async def test_an_open_loop_needs_something_to_do() -> None:
    with pytest.raises(ValueError, match="no request is due"):
        await open_loop(traffic_to(Target("127.0.0.1", 9, "/")), [], 1)
