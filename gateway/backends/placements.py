"""Where the copies of a model live, and the session settings of each place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import invalid_argument


@dataclass(frozen=True, slots=True)
class Placement:
    """A place that needs its own copy of a model."""

    device: str | None
    """The framework's name of the device, None for wherever the session puts an operation."""
    config: Any
    """ConfigProto of the session."""


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0))


def place_of(device: str) -> str:
    """``cpu`` for every logical CPU device, which share one copy; ``gpu:N`` is its own place.

    Raises ServingError for anything else.
    """
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "gpu") or not index.isdecimal():
        raise invalid_argument(f"{device!r} is no device; devices are cpu:N and gpu:N")
    return "cpu" if kind == "cpu" else f"gpu:{int(index)}"


def placements(tf: Any, devices: Sequence[str]) -> dict[str, Placement]:
    """The placements that cover ``devices``, by place. Raises ServingError for unknown kinds."""
    cpu_devices = sum(place_of(device) == "cpu" for device in devices)
    threads = max(1, cores() // max(1, cpu_devices))
    return {
        place: _placement(tf, place, threads) for place in dict.fromkeys(map(place_of, devices))
    }


def _placement(tf: Any, place: str, threads: int) -> Placement:
    config = tf.compat.v1.ConfigProto(
        allow_soft_placement=True,
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=cores(),
    )
    if place == "cpu":
        config.device_count["GPU"] = 0
        return Placement(None, config)
    return Placement(f"/device:GPU:{place.removeprefix('gpu:')}", config)
