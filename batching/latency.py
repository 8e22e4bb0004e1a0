"""Online fit of a batch's run time: ``seconds = fixed + per_row * rows``."""

from __future__ import annotations


class LatencyModel:
    """Least squares with exponential forgetting; older batches weigh ``decay ** age``.

    The two parameters are kept non-negative. With batches of one size only, the line through the
    origin is taken: it overestimates larger batches, which is the safe side for admission.
    """

    __slots__ = ("_decay", "_weight", "_x", "_xx", "_xy", "_y")

    def __init__(self, decay: float = 0.98) -> None:
        self._decay = decay
        self._weight = self._x = self._y = self._xx = self._xy = 0.0

    @property
    def learned(self) -> bool:
        """Whether a batch has been seen at all."""
        return self._weight > 0

    def record(self, rows: int, seconds: float) -> None:
        """Learn that a batch of ``rows`` rows took ``seconds``."""
        d = self._decay
        self._weight = self._weight * d + 1
        self._x = self._x * d + rows
        self._y = self._y * d + seconds
        self._xx = self._xx * d + rows * rows
        self._xy = self._xy * d + rows * seconds

    def parameters(self) -> tuple[float, float]:
        """``(fixed, per_row)`` in seconds; zeros while nothing is learned."""
        if not self.learned:
            return 0.0, 0.0
        spread = self._xx * self._weight - self._x * self._x
        if spread > 1e-9 * self._xx * self._weight:
            per_row = (self._xy * self._weight - self._x * self._y) / spread
            fixed = (self._y - per_row * self._x) / self._weight
            if per_row >= 0 and fixed >= 0:
                return fixed, per_row
            if per_row < 0:
                return self._y / self._weight, 0.0
        return 0.0, self._xy / self._xx

    def predict(self, rows: int) -> float:
        """Expected seconds of a batch of ``rows`` rows."""
        fixed, per_row = self.parameters()
        return fixed + per_row * rows
