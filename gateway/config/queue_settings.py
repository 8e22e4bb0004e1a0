"""Settings of a model's queue: priorities, time-outs, bounds by level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway.config.fields import Natural
from gateway.config.inherited import Frozen

MAX_PRIORITY_LEVELS = 65_535

TimeoutAction = Annotated[
    Literal["reject", "delay"], BeforeValidator(lambda v: v.lower() if isinstance(v, str) else v)
]


def _level(value: object) -> object:
    """TOML and JSON have only text for keys."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Level = Annotated[int, BeforeValidator(_level), Field(ge=1, le=MAX_PRIORITY_LEVELS)]


class QueuePolicy(Frozen):
    """The queue of one priority level."""

    timeout_us: Natural = Field(
        default=0, description="Longest wait in the queue, in us; 0 is without limit."
    )
    timeout_action: TimeoutAction = Field(
        default="reject", description="What becomes of a request that waited longer."
    )
    allow_timeout_override: bool = Field(
        default=True, description="Whether a request may ask for a shorter wait."
    )
    max_queue_size: Natural = Field(
        default=0, description="Most requests that wait; 0 is without limit."
    )


class QueueSettings(Frozen):
    """What Triton calls dynamic batching's queue policies. Priority 1 is served first."""

    priority_levels: int = Field(
        default=0,
        ge=0,
        le=MAX_PRIORITY_LEVELS,
        description="Priority levels that requests may name, from 1, the first to be served; 0 is "
        "one queue for all.",
    )
    default_priority_level: Natural = Field(
        default=0, description="Level of requests that name none, or one that does not exist."
    )
    queue_timeout_us: Natural = Field(
        default=0, description="Longest wait in the queue, in us; 0 is without limit."
    )
    queue_timeout_action: TimeoutAction = Field(
        default="reject",
        description="What becomes of a request that waited longer: reject, or delay (it goes "
        "behind those that have time).",
    )
    allow_timeout_override: bool = Field(
        default=True, description="Whether a request may ask for a shorter wait."
    )
    max_queue_size: Natural = Field(
        default=0, description="Most requests that wait, per priority level; 0 is without limit."
    )
    priority_queue_policies: dict[Level, QueuePolicy] = Field(
        default={}, description="Levels whose queue differs from the four settings above."
    )
    relief_every: Natural = Field(
        default=10,
        description="After so many batches in a row that went ahead of an older request of a lower "
        "level, one takes requests in order of arrival; 0 never does.",
    )
    preserve_ordering: bool = Field(
        default=False, description="Answer requests in the order in which they came."
    )


def queue_problems(queue: QueueSettings) -> Iterator[tuple[str, str]]:
    """Setting and problem of each contradiction (Triton, ValidateModelConfig)."""
    levels, default = queue.priority_levels, queue.default_priority_level
    if levels and not 1 <= default <= levels:
        yield (
            "default_priority_level",
            f"must be from 1 to priority_levels = {levels}, not {default}",
        )
    if default and not levels:
        yield "default_priority_level", "needs priority_levels"
    if beyond := [level for level in queue.priority_queue_policies if level > levels]:
        yield (
            "priority_queue_policies",
            f"has the level {min(beyond)}, but priority_levels is {levels}",
        )
