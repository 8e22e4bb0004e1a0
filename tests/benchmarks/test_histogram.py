"""The histogram agrees with sorted values to its precision."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loadgen.histogram import LatencyHistogram
from benchmarks.loadgen.record import percentile

LATENCIES = st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=200)


@given(LATENCIES, st.sampled_from([0.01, 0.5, 0.9, 0.99, 0.999, 1.0]))
def test_percentiles(latencies: list[float], share: float) -> None:
    histogram = LatencyHistogram()
    histogram.add(latencies)
    exact = percentile(sorted(latencies), share)
    # The package's rank is rounded to the nearest: one value up or down is as right.
    ordered = [0.0, *sorted(latencies), math.inf]
    near = range(max(0, ordered.index(exact) - 1), min(len(ordered), ordered.index(exact) + 2))
    found = histogram.percentile(share)
    assert any(math.isclose(found, ordered[i], rel_tol=2e-3, abs_tol=1e-6) for i in near)
    assert len(histogram) == len(latencies)


def test_runs_add_up() -> None:
    histogram = LatencyHistogram()
    histogram.add([0.001] * 99)
    histogram.add([1.0])
    assert histogram.percentile(0.5) == pytest.approx(0.001, rel=2e-3)
    assert histogram.percentile(1.0) == pytest.approx(1.0, rel=2e-3)
    assert "#[Mean" in histogram.distribution()


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(LatencyHistogram().percentile(0.5))


def test_what_never_ended_counts_as_the_longest() -> None:
    histogram = LatencyHistogram()
    histogram.add([1e9])
    assert histogram.percentile(1.0) == pytest.approx(3600, rel=2e-3)
