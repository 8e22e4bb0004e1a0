"""How long a simulated device takes: three models, by their measured fits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Law:
    """A batch of n rows takes ``fixed + per_row * n`` seconds, up to ``max_batch_size`` rows."""

    name: str
    fixed: float
    per_row: float
    max_batch_size: int
    slo: float
    """Seconds from arrival within which an answer is of use."""

    def seconds(self, rows: int) -> float:
        return self.fixed + self.per_row * rows

    @property
    def capacity(self) -> float:
        """Rows a second in full batches."""
        return self.max_batch_size / self.seconds(self.max_batch_size)


LAWS = {
    law.name: law
    for law in (
        Law("mlp", fixed=0.0003, per_row=0.00001, max_batch_size=128, slo=0.010),
        Law("resnet", fixed=0.004, per_row=0.00025, max_batch_size=32, slo=0.050),
        Law("cnn-cpu", fixed=0.002, per_row=0.005, max_batch_size=16, slo=0.250),
    )
}
