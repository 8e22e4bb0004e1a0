"""TF Serving's own dialect of Prometheus' text format (prometheus_exporter).

Names start with a colon, counters do not end in ``_total``, ``# TYPE`` lines come without HELP.
Numbers are written on the event loop only; ``lines`` may run on any thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.histogram import Histogram

LATENCIES = tuple(10 * 1.8**i for i in range(33))
"""Microseconds."""
SIZES = tuple(float(2**i) for i in range(15))
"""Numbers of examples or rows."""

Labels = tuple[str, ...]
"""Values, in the order of a family's label names."""

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Counter:
    """A counter for each combination of label values."""

    __slots__ = ("_labels", "_values", "name")

    def __init__(self, name: str, *labels: str) -> None:
        self.name = name
        self._labels = labels
        self._values: dict[Labels, float] = {}

    @property
    def total(self) -> float:
        """All labels together."""
        return sum(self._values.values())

    def add(self, labels: Labels, number: float = 1) -> None:
        values = self._values
        values[labels] = values.get(labels, 0) + number

    def lines(self) -> Iterator[str]:
        yield f"# TYPE {self.name} counter"
        for values, number in list(self._values.items()):
            yield f"{self.name}{{{_pairs(self._labels, values)}}} {number:.0f}"


class Distribution:
    """A histogram for each combination of label values."""

    __slots__ = ("_bounds", "_histograms", "_labels", "_limits", "_name", "_scale")

    def __init__(
        self, name: str, bounds: Sequence[float], *labels: str, scale: float = 1.0
    ) -> None:
        """Observations are multiplied by ``scale`` to have the unit of ``bounds``."""
        self._name = name
        self._bounds = bounds
        self._labels = labels
        self._scale = scale
        self._limits = [*(f"{bound:g}" for bound in bounds), "+Inf"]
        self._histograms: dict[Labels, Histogram] = {}

    def of(self, labels: Labels) -> Histogram:
        """The histogram of one combination, made if there is none."""
        histogram = self._histograms.get(labels)
        if histogram is None:
            histogram = self._histograms[labels] = Histogram(self._bounds, self._scale)
        return histogram

    def observe(self, labels: Labels, value: float) -> None:
        self.of(labels).observe(value)

    def lines(self) -> Iterator[str]:
        yield f"# TYPE {self._name} histogram"
        for values, histogram in list(self._histograms.items()):
            yield from self._histogram_lines(_pairs(self._labels, values), histogram)

    def _histogram_lines(self, labels: str, histogram: Histogram) -> Iterator[str]:
        before = f"{labels}," if labels else ""
        number = 0.0
        for limit, (_, number) in zip(self._limits, histogram.cumulative(), strict=True):
            yield f'{self._name}_bucket{{{before}le="{limit}"}} {number:.0f}'
        yield f"{self._name}_sum{{{labels}}} {histogram.total!r}"
        yield f"{self._name}_count{{{labels}}} {number:.0f}"


def _pairs(names: Labels, values: Labels) -> str:
    return ",".join(f'{n}="{v.translate(_ESCAPED)}"' for n, v in zip(names, values, strict=True))
