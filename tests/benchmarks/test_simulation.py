"""The policy simulation: it is right where the answer is known, and its gates hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import islice

import pytest

from batching import BatchPolicy
from benchmarks.simulation.__main__ import main, simulate_all
from benchmarks.simulation.clock import EventClock
from benchmarks.simulation.gates import GATE_CELLS, GATE_LOADS, OVERLOAD, Gate, gates
from benchmarks.simulation.laws import LAWS, Law
from benchmarks.simulation.run import Result, simulate
from benchmarks.simulation.systems import BOUNDED, GREEDY, SYSTEMS, Aimd, OurBatcher
from benchmarks.simulation.workloads import ClosedLoad, OpenLoad

QUICK = 2500
LAW = Law("even", fixed=0.010, per_row=0.001, max_batch_size=4, slo=0.050)


async def of(system: str, load: OpenLoad | ClosedLoad, requests: int = 200) -> Result:
    return await simulate(SYSTEMS[system], LAW, load, requests)


async def test_the_gates_hold() -> None:
    results = await simulate_all(GATE_CELLS, QUICK)
    failed = [gate.show() for gate in gates(results) if not gate.passed]
    assert not failed


async def test_a_gate_fails_when_greedy_is_slower_or_answers_too_little() -> None:
    results = await simulate_all(GATE_CELLS, 300)
    slow = ("mlp", GATE_LOADS[0].name, GREEDY)
    results[slow] = replace(results[slow], p99=1.0)
    few = ("mlp", OVERLOAD.name, BOUNDED)
    results[few] = replace(results[few], goodput=0.1)
    failed = {gate.name for gate in gates(results) if not gate.passed}
    assert {name for name in failed if name.startswith("mlp, 5%")}
    assert {name for name in failed if name.startswith("mlp, 150%")}


async def test_a_lone_client_waits_for_its_own_row_alone() -> None:
    result = await of(GREEDY, ClosedLoad(1, turnaround=0.001))
    assert (result.p50, result.p99) == pytest.approx((LAW.seconds(1), LAW.seconds(1)))
    assert result.mean_batch == 1
    assert result.per_second == pytest.approx(1 / (LAW.seconds(1) + 0.001), rel=0.01)


async def test_a_timer_is_waited_for_in_full() -> None:
    result = await of("T=5 ms", ClosedLoad(1))
    assert result.p50 == pytest.approx(LAW.seconds(1) + 0.005)


async def test_clients_that_ask_together_share_batches() -> None:
    result = await of("T=10 ms", ClosedLoad(4, turnaround=0.0))
    assert result.mean_batch == 4
    assert result.p50 == pytest.approx(LAW.seconds(4))


async def test_overload_is_refused_by_the_bounded_and_piles_up_in_the_others() -> None:
    bounded, greedy = await of(BOUNDED, OpenLoad(3.0), 2000), await of(GREEDY, OpenLoad(3.0), 2000)
    assert bounded.refused > 0
    assert bounded.goodput == pytest.approx(1 / 3, rel=0.1)
    assert greedy.refused == 0
    assert greedy.goodput < bounded.goodput / 2


async def test_the_same_arguments_give_the_same_result() -> None:
    first, second = [await of(GREEDY, OpenLoad(0.7, bursts=True)) for _ in range(2)]
    assert first == second


async def test_aimd_grows_within_the_objective_and_shrinks_beyond() -> None:
    clock = EventClock()
    law = replace(LAW, per_row=0.010, max_batch_size=100)
    system = Aimd(clock, law)
    for _ in range(200):
        system.submit(lambda: None)
    batches = []
    for _ in range(20):
        before = system.use.rows
        clock.step()
        batches.append(system.use.rows - before)
    assert batches[:3] == [2, 3, 4]
    # 10 + 10 n <= 50 ms up to n = 4: one more is tried and taken back.
    assert max(batches) == 5
    assert min(batches[5:]) == 4


async def test_the_batcher_learns_the_law() -> None:
    clock = EventClock()
    system = OurBatcher(clock, LAW, BatchPolicy(max_batch_size=4, adaptive=False))
    left = 40
    for number in range(left):
        clock.call_at(0.004 * number, lambda: system.submit(lambda: None))
    while True:
        try:
            clock.step()
        except IndexError:
            break
        await asyncio.sleep(0)
    assert system._batcher.predicted_seconds() == pytest.approx(LAW.seconds(4))
    system.close()


@pytest.mark.parametrize("bursts", [False, True])
def test_arrivals_have_the_rate_they_are_named_for(bursts: bool) -> None:
    load = OpenLoad(0.5, bursts)
    times = list(islice(load.arrivals(LAWS["mlp"], 20_000, seed=1), 20_000))
    assert times == sorted(times)
    assert len(times) / times[-1] == pytest.approx(0.5 * LAWS["mlp"].capacity, rel=0.03)


def test_a_gate_shows_its_verdict() -> None:
    assert Gate("x", 1.0, 2.0).show() == "ok    x: 1, at most 2"
    assert Gate("x", 3.0, 2.0).show().startswith("FAIL")


def test_the_command_says_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick"]) == 0
    assert "resnet, 70% poisson" in capsys.readouterr().out
