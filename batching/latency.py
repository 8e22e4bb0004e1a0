"""Online fit of a batch's run time: ``seconds = speed * (fixed + per_unit * size)``.

Size is what the caller counts: rows, or padded entries. Robust where least squares are not. Single
runs are outliers (the first of a shape, a busy neighbour): typical runs are fitted. Phases are slow
or fast as a whole: the speed follows within a few runs and the shape stays. A busy queue may run
one size for hours: what was known of others stays too, and is compared with that size.
"""

from __future__ import annotations

from collections import deque

RUNS_PER_CLASS = 12
"""Sizes of one class differ by less than a factor of two; each class keeps its latest runs."""
ENOUGH_RUNS = 3
WIDE = 3.0
"""Sizes so many times apart tell the fixed part from the rest."""
RECENT_RUNS = 7
"""How many runs the speed is taken from."""
HALF_LIFE_RUNS = 64
"""After so many runs of others, a class that was not seen counts half."""
FORGOTTEN_RUNS = 512
"""After so many it begins anew when it is seen again."""
USUAL_RUNS = 5
"""Sizes of a class that so many of them had are the usual ones."""

_FIT_AT_ONCE = 16
_SECONDS_PER_FIT = 1e-3
"""A fit takes some 20 us: later on it is made once for so much run time, ..."""
_SECONDS_PER_RUN = 2e-6
"""... where each run counts for so much more, ..."""
_MOST_PENDING = 16
"""... from so many runs."""
_LEAST_SECONDS = 1e-15

Run = tuple[float, float]
"""Size, and seconds at speed 1."""


class LatencyModel:
    """The two parameters are never negative. While only sizes near each other were seen, the line
    through the origin is taken: it overestimates larger ones, the safe side for admission; see
    ``settled``.
    """

    __slots__ = (
        "_classes",
        "_fixed",
        "_pending",
        "_per_unit",
        "_ratios",
        "_recent",
        "_speed",
        "_until_fit",
        "largest",
        "learned",
        "runs",
        "settled",
    )

    def __init__(self) -> None:
        self._classes: dict[int, _SizeClass] = {}
        self._pending: list[Run] = []
        self._until_fit = 0.0
        self._fixed = self._per_unit = 0.0
        self._ratios = deque([1.0] * RECENT_RUNS, maxlen=RECENT_RUNS)
        self._recent: deque[_SizeClass] = deque(maxlen=RECENT_RUNS)
        self._speed = 1.0
        """How many times longer runs take of late than they usually did."""
        self.runs = 0
        """How many runs the parameters are from."""
        self.learned = False
        """Whether a batch has been seen at all."""
        self.settled = False
        """Whether sizes far enough apart were seen often enough to trust both parameters."""
        self.largest = 0.0
        """The largest size that was seen more than once."""

    def record(self, size: float, seconds: float) -> bool:
        """Learn that a batch of ``size`` took ``seconds``. Whether the parameters are new: where
        runs are short, they follow only now and then."""
        pending = self._pending
        if len(pending) < _MOST_PENDING:
            pending.append((size, seconds))
        self._until_fit -= seconds + _SECONDS_PER_RUN
        if self._until_fit > 0:
            return False
        self._learn()
        return True

    def parameters(self) -> tuple[float, float]:
        """``(fixed, per_unit)`` in seconds at the present speed; zeros while nothing is learned."""
        return self._speed * self._fixed, self._speed * self._per_unit

    def predict(self, size: float) -> float:
        """Expected seconds of a batch of ``size``."""
        return self._speed * (self._fixed + self._per_unit * size)

    def _learn(self) -> None:
        touched: set[_SizeClass] = set()
        for size, seconds in self._pending:
            key = int(size).bit_length()
            group = self._classes.get(key)
            if group is None:
                group = self._classes[key] = _SizeClass()
            self._add(group, size, max(seconds, _LEAST_SECONDS))
            touched.add(group)
        self.runs += len(self._pending)
        self._pending.clear()
        for group in touched:
            group.summarise(self._fixed, self._per_unit)
        self._fit()
        self._until_fit = _SECONDS_PER_FIT if self.runs > _FIT_AT_ONCE else 0.0

    def _add(self, group: _SizeClass, size: float, seconds: float) -> None:
        """A run is kept as it would have been at the speed of the runs before it, of whatever size:
        so the sizes stay comparable. The usual ones, which make the speed, are left as they are:
        corrected by each other, they would drift away from those that are seen now and then."""
        self._recent.append(group)
        if self.runs - group.seen > FORGOTTEN_RUNS:
            group.runs.clear()
        group.seen = self.runs
        if len(group.runs) < RUNS_PER_CLASS or self._recent.count(group) < USUAL_RUNS:
            group.runs.append((size, seconds / self._speed))
        if self.settled and len(group.runs) > ENOUGH_RUNS:
            self._ratios.append(seconds / (self._fixed + self._per_unit * size))
            self._speed = sorted(self._ratios)[(len(self._ratios) - 1) // 2]

    def _fit(self) -> None:
        """Weighted least squares through the classes' typical runs. Deviations count relative to
        the run time, as run times vary."""
        groups = self._classes.values()
        inverse = inverse_size = both = squares = sizes = 0.0
        for group in groups:
            weight = len(group.runs) * 0.5 ** min((self.runs - group.seen) / HALF_LIFE_RUNS, 30)
            u, v = 1 / group.seconds, group.size / group.seconds
            inverse += weight * u
            inverse_size += weight * v
            squares += weight * u * u
            both += weight * u * v
            sizes += weight * v * v
        self._fixed, self._per_unit = _line(inverse, inverse_size, squares, both, sizes)
        known = [group.size for group in groups if len(group.runs) >= ENOUGH_RUNS]
        self.settled = bool(known) and max(known) >= WIDE * min(known)
        self.largest = max((g.size for g in groups if len(g.runs) > 1), default=0.0)
        self.learned = True


class _SizeClass:
    """The latest runs of about one size."""

    __slots__ = ("runs", "seconds", "seen", "size")

    def __init__(self) -> None:
        self.runs: deque[Run] = deque(maxlen=RUNS_PER_CLASS)
        self.seen = 0
        """The number of runs before the last one of the class."""
        self.size = self.seconds = 0.0
        """Of the typical run. Of two the faster: the other may have been the first of its kind."""

    def summarise(self, fixed: float, per_unit: float) -> None:
        """Find the typical run, measured by what was expected, or by size while nothing is."""
        by_ratio = sorted(
            (seconds / ((fixed + per_unit * size) or size), size, seconds)
            for size, seconds in self.runs
        )
        _, self.size, self.seconds = by_ratio[(len(by_ratio) - 1) // 2]


def _line(
    inverse: float, inverse_size: float, squares: float, both: float, sizes: float
) -> tuple[float, float]:
    """``(fixed, per_unit)`` from the sums of the normal equations, neither negative."""
    determinant = squares * sizes - both * both
    if determinant > 1e-9 * squares * sizes:
        fixed = (inverse * sizes - inverse_size * both) / determinant
        per_unit = (inverse_size * squares - inverse * both) / determinant
        if fixed >= 0 and per_unit >= 0:
            return fixed, per_unit
        if per_unit < 0:
            return inverse / squares, 0.0
    return 0.0, inverse_size / sizes
