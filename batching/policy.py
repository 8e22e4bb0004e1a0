"""What a batch may be: sizes, waits, bounds, padding. Contradictions are refused here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batching.levels import Action, LevelPolicy
from batching.requirements import require


def _require_ascending(name: str, values: tuple[int, ...]) -> None:
    require(all(v > 0 for v in values), f"{name} must be positive: {list(values)}")
    ascending = all(a < b for a, b in itertools.pairwise(values))
    require(ascending, f"{name} must be ascending and distinct: {list(values)}")


@dataclass(frozen=True, slots=True)
class PadInput:
    """How one input's variable axes are brought to a common length.

    ``axes`` count from the batch axis (0), so each is at least 1. Shorter rows are filled at the
    end with ``value``; ``None`` means 0, or the empty string for a string input. The common length
    is the longest of the batch, or the first of ``buckets`` that holds it (a longer one than the
    last bucket keeps its own length).

    ``mask_input`` names an input that is filled in for requests that do not send it: shape
    ``[rows, length of axes[0]]``, 1 for real entries and 0 for padding. ``length_input`` likewise
    names an input of shape ``[rows]`` with each row's own length. Both have dtype ``int32`` unless
    the batcher was given another for that name.
    """

    axes: tuple[int, ...] = (1,)
    value: Any = None
    buckets: tuple[int, ...] = ()
    mask_input: str | None = None
    length_input: str | None = None

    def __post_init__(self) -> None:
        require(len(self.axes) > 0, "padding needs at least one axis")
        require(all(axis >= 1 for axis in self.axes), "axis 0 is the batch and is never padded")
        require(len(set(self.axes)) == len(self.axes), f"axes are not distinct: {self.axes}")
        _require_ascending("buckets", self.buckets)

    def common_length(self, longest: int) -> int:
        """The length to pad to when the longest row of the batch has ``longest`` entries."""
        for bucket in self.buckets:
            if bucket >= longest:
                return bucket
        return longest


@dataclass(frozen=True, slots=True)
class Padding:
    """Which inputs may be padded together, and which outputs are cut back afterwards.

    ``trim`` maps an output and one of its axes to the input axis that gives its length:
    ``{"tokens": {1: ("ids", 1)}}`` cuts axis 1 of ``tokens`` to each request's length of ``ids``.

    Batches are formed by length, so that a row costs least of what it does not need itself: padding
    and its share of what a batch costs whatever its size. The oldest item is in every batch once it
    has waited ``patience`` seconds: none is passed over for longer. 0 keeps the slowest answers
    fastest; more lets items of common lengths go ahead of the others.
    """

    inputs: Mapping[str, PadInput] = field(default_factory=dict)
    trim: Mapping[str, Mapping[int, tuple[str, int]]] = field(default_factory=dict)
    patience: float = 0.0

    def __post_init__(self) -> None:
        require(self.patience >= 0, f"patience must not be negative: {self.patience}")
        for output, axes in self.trim.items():
            for axis, (name, input_axis) in axes.items():
                require(axis >= 1, f"trim of {output!r}: axis 0 is the batch")
                known = name in self.inputs and input_axis in self.inputs[name].axes
                require(known, f"trim of {output!r}: axis {input_axis} of {name!r} is not padded")

    @property
    def filled_inputs(self) -> frozenset[str]:
        """Names of mask and length inputs, which requests may leave out."""
        names = (n for p in self.inputs.values() for n in (p.mask_input, p.length_input))
        return frozenset(name for name in names if name is not None)


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """The rules of one batch queue. Sizes are rows (entries along axis 0), times are seconds.

    Raises ValueError when the rules contradict each other.
    """

    enabled: bool = True
    """Off: every item runs by itself, as it came, and is never split."""
    max_batch_size: int = 32
    adaptive: bool = True
    """Whether batches end where more rows no longer pay, as the run times show, and are spread over
    executors that are free. Off: they take what waits, up to ``max_batch_size``."""
    first_batch_size: int | None = None
    """Where adaptive batches start, at most, while the function is not known; they grow from there
    as far as pays. Items of more rows may be split. None: ``max_batch_size``."""
    batch_timeout: float = 0.0
    """How old the oldest row may grow while a device is free and the batch is not full.
    0 takes what is there, which is also the fastest (no timer won in open-loop simulation)."""
    max_queue_rows: int = 4096
    """Most rows that wait; where items run by themselves, most items. An item that finds nothing
    waiting is taken however many rows it has."""
    queue_budget: float = math.inf
    """An item is refused when its predicted wait passes this or the time to its deadline."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """Batches are filled up to the next of these with copies of a real row. Empty: any size."""
    split: bool = True
    """Whether an item of more rows than a batch holds is spread over several batches."""
    padding: Padding | None = None
    """None: only items with equal shapes share a batch."""
    isolate: bool = True
    """Whether a failed batch is re-run by halves to find the culprit. Off for functions that
    must not see a row twice."""
    max_reruns: int = 64
    """Bound on the extra runs of one failed batch."""
    rerun_seconds_per_minute: float = 45.0
    """Bound on the device time that re-runs may cost, over all batches."""
    priority_levels: int = 0
    """Requests of level 1 go first, then those of level 2 and so on. 0: all are equal."""
    default_priority_level: int = 0
    """The level of requests that name none, or one that there is not."""
    queue_timeout: float = 0.0
    """See LevelPolicy; of levels without a policy of their own, as the next three."""
    queue_timeout_action: Action = "reject"
    allow_timeout_override: bool = False
    max_queue_size: int = 0
    level_policies: Mapping[int, LevelPolicy] = field(default_factory=dict)
    relief_every: int = 10
    """Once so many batches in a row went ahead of an older request of a lower level, the next takes
    requests in order of arrival: no level starves. 0: higher levels always go first."""
    preserve_ordering: bool = False
    """Whether answers are given in order of arrival. Failures are told at once."""

    def __post_init__(self) -> None:
        require(self.max_batch_size >= 1, f"max_batch_size must be positive: {self.max_batch_size}")
        first = self.first_batch_size
        require(
            first is None or 1 <= first <= self.max_batch_size,
            f"first_batch_size must be within 1 and max_batch_size: {first}",
        )
        require(
            self.batch_timeout >= 0, f"batch_timeout must not be negative: {self.batch_timeout}"
        )
        require(self.queue_budget > 0, f"queue_budget must be positive: {self.queue_budget}")
        require(self.max_reruns >= 0, f"max_reruns must not be negative: {self.max_reruns}")
        require(
            self.max_queue_rows >= self.max_batch_size,
            f"max_queue_rows ({self.max_queue_rows}) is below max_batch_size "
            f"({self.max_batch_size}): a full batch could never wait",
        )
        _require_ascending("allowed_batch_sizes", self.allowed_batch_sizes)
        if self.allowed_batch_sizes:
            require(
                self.allowed_batch_sizes[-1] == self.max_batch_size,
                f"the last of allowed_batch_sizes ({self.allowed_batch_sizes[-1]}) must equal "
                f"max_batch_size ({self.max_batch_size})",
            )
        self._check_levels()

    def _check_levels(self) -> None:
        levels, default = self.priority_levels, self.default_priority_level
        require(levels >= 0, f"priority_levels must not be negative: {levels}")
        least = min(levels, 1)
        within = f"within {least} and {levels}"
        require(least <= default <= levels, f"default_priority_level must be {within}: {default}")
        unknown = [level for level in self.level_policies if not 1 <= level <= levels]
        require(not unknown, f"level_policies names levels {unknown}; there are {levels}")
        relief = self.relief_every
        require(relief >= 0, f"relief_every must not be negative: {relief}")
        self.default_level()

    @property
    def has_levels(self) -> bool:
        """Whether there is more to waiting than order of arrival."""
        return self.priority_levels > 0 or self.default_level() != LevelPolicy()

    def default_level(self) -> LevelPolicy:
        """The rules of waiting at levels without a policy of their own."""
        return LevelPolicy(
            self.queue_timeout,
            self.queue_timeout_action,
            self.allow_timeout_override,
            self.max_queue_size,
        )

    def level_of(self, priority: int) -> int:
        """The level of a request that asks for ``priority``; 1 where there are no levels."""
        if 1 <= priority <= self.priority_levels:
            return priority
        return self.default_priority_level or 1

    def of_level(self, level: int) -> LevelPolicy:
        """The rules of waiting at a level."""
        return self.level_policies.get(level) or self.default_level()

    @property
    def whole_rows(self) -> int:
        """Items of no more rows are never split."""
        if not self.split:
            return self.max_batch_size
        return self.first_batch_size or self.max_batch_size

    @property
    def max_item_rows(self) -> float:
        """The most rows that one item may have; inf unless it has to fit into one batch."""
        return math.inf if self.split or not self.enabled else self.max_batch_size

    def round_up(self, rows: int) -> int:
        """The allowed batch size that holds ``rows`` rows."""
        for size in self.allowed_batch_sizes:
            if size >= rows:
                return size
        return rows
