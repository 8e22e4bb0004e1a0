"""How a model's requests wait for a device: levels, time-outs, order of answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field

from gateway.config.fields import AxisKey, Milliseconds, Natural
from gateway.config.inherited import Frozen
from gateway.config.wording import dotted


def _lower(value: object) -> object:
    """Triton's configuration writes REJECT and DELAY."""
    return value.lower() if isinstance(value, str) else value


TimeoutAction = Annotated[Literal["reject", "delay"], BeforeValidator(_lower)]
Level = AxisKey
"""A whole number from 1 on; text where it is a key."""


class LevelSettings(Frozen):
    """How requests of one priority level wait."""

    queue_timeout_ms: Milliseconds = Field(
        default=0.0,
        description="Longest wait for a device, in ms; 0 is endless. A run is never cut short.",
    )
    queue_timeout_action: TimeoutAction = Field(
        default="reject",
        description="What becomes of a request that waited longer: reject it with 503, or delay it "
        "behind all others of its level.",
    )
    allow_timeout_override: bool = Field(
        default=False, description="Whether a request may shorten its queue time-out."
    )
    max_queue_size: Natural = Field(
        default=0, description="Most requests of the level that wait; 0 is any number."
    )


class WaitingSettings(Frozen):
    """How requests of one model wait."""

    priority_levels: Natural = Field(
        default=0, description="Number of priority levels, 1 being the highest; 0 has none."
    )
    default_priority_level: Natural = Field(
        default=0,
        description="Level of requests that name none; 0 is the lowest there is.",
    )
    queue_timeout_ms: Milliseconds = Field(
        default=0.0,
        description="Longest wait for a device of requests whose level has no policy of its own, "
        "in ms; 0 is endless.",
    )
    queue_timeout_action: TimeoutAction = Field(
        default="reject", description="What becomes of those that waited longer: reject or delay."
    )
    allow_timeout_override: bool = Field(
        default=False, description="Whether they may shorten their queue time-out."
    )
    level_policies: dict[Level, LevelSettings] = Field(
        default={}, description="Rules of waiting by level."
    )
    relief_every: Natural = Field(
        default=10,
        description="After so many batches in a row that went ahead of an older request of a lower "
        "level, one takes requests in order of arrival; 0 never does.",
    )
    preserve_ordering: bool = Field(
        default=False, description="Give answers in order of arrival; failures are told at once."
    )


class _Waiting(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def priority_levels(self) -> int: ...
    @property
    def default_priority_level(self) -> int: ...
    @property
    def level_policies(self) -> Mapping[int, LevelSettings]: ...


def level_contradictions(model: _Waiting, origins: Mapping[str, str]) -> Iterator[str]:
    """One line for each setting that names a level that the model has not."""
    levels = model.priority_levels
    has = f"but models.{model.name}.priority_levels is {levels}"
    default = dotted(("models", model.name, "default_priority_level"))
    if model.default_priority_level > levels:
        yield f"{default} = {model.default_priority_level} ({origins[default]}), {has}"
    policies = dotted(("models", model.name, "level_policies"))
    if unknown := [str(level) for level in sorted(model.level_policies) if level > levels]:
        yield f"{policies} ({origins[policies]}) names level {', '.join(unknown)}, {has}"
