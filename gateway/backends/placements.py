"""Where the copies of a model live, and the session settings of each place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import invalid_argument

ConfigProto = Any


@dataclass(frozen=True, slots=True)
class Placement:
    """A place that needs its own copy of a model."""

    device: str
    """The framework's name of the device, empty for wherever the session puts an operation."""
    config: ConfigProto
    """Settings of the session."""


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


def placements(config: ConfigProto, devices: Sequence[str]) -> dict[str, Placement]:
    """The placements that cover ``devices``, by place, with ``config`` completed for each: numbers
    of threads that are not set follow from the cores. Raises ServingError for unknown kinds."""
    cpu_devices = sum(place_of(device) == "cpu" for device in devices)
    threads = max(1, cores() // max(1, cpu_devices))
    return {
        place: _placement(config, place, threads) for place in dict.fromkeys(map(place_of, devices))
    }


def _placement(common: ConfigProto, place: str, threads: int) -> Placement:
    config = type(common)()
    config.CopyFrom(common)
    config.intra_op_parallelism_threads = config.intra_op_parallelism_threads or threads
    config.inter_op_parallelism_threads = config.inter_op_parallelism_threads or cores()
    if place == "cpu":
        config.device_count["GPU"] = 0
        return Placement("", config)
    return Placement(f"/device:GPU:{place.removeprefix('gpu:')}", config)
