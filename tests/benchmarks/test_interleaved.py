"""Functions timed in turn, and the figures of the loop's lag."""

from __future__ import annotations

from benchmarks.interleaved import interleaved, quiet
from benchmarks.loop_lag import Phase, ordinary_pool


def test_functions_run_in_turn() -> None:
    order: list[str] = []

    def note(name: str) -> None:
        if order[-1:] != [name]:
            order.append(name)

    turns = interleaved({"a": lambda: note("a"), "b": lambda: note("b")}, 1e-6)
    assert [len(times) for times in turns.values()] == [3, 3]
    assert order == ["a", "b"] * 4
    assert min(turns["a"] + turns["b"]) >= 0


def test_quiet_is_the_first_decile() -> None:
    assert quiet([float(value) for value in range(20, 0, -1)]) == 3


def test_a_phase_is_summed_up_over_its_rounds() -> None:
    phase = Phase(ordinary_pool, busy=True)
    phase.lags = [[0.1] * 98 + [2.0, 3.0], [0.1] * 98 + [4.0, 5.0]]
    phase.batches = [10.0, 30.0]
    assert phase.line("busy") == ["busy", "0.10", "4.00", "5.00", "4.00 (3.00-5.00)", "20"]
