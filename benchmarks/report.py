"""Rounds to figures, figures to tables and files."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.machine import Machine


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds of one run."""

    minimum: float
    median: float
    maximum: float

    def show(self, digits: int = 2) -> str:
        """``median (minimum-maximum)``, or a dash when there is none."""
        if math.isnan(self.median):
            return "-"
        return f"{self.median:.{digits}f} ({self.minimum:.{digits}f}-{self.maximum:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """Raises ValueError without values."""
    return Spread(min(values), statistics.median(values), max(values))


def ratios(values: Sequence[float], references: Sequence[float]) -> Spread:
    """Value by reference, round by round. A round without a reference (0, below the clock's
    resolution) says nothing and is left out; all such give nan."""
    found = [v / r for v, r in zip(values, references, strict=True) if r]
    return spread(found or [math.nan])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, ["-" * width for width in widths], *rows):
        first, *others = (
            cell.rjust(width) if position else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)


def write_json(
    path: Path, machine: Machine, options: dict[str, Any], results: list[dict[str, Any]]
) -> None:
    """Everything that was measured, every round of it. What could not be is null."""
    report = {"machine": machine.as_json(), "options": options, "results": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
