"""Where the copies of a model live, and the session settings of each place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.backends.session_config import compile_with_xla, leave_uncompiled
from gateway.errors import invalid_argument

ConfigProto = Any


@dataclass(frozen=True, slots=True)
class Placement:
    """A place that needs its own copy of a model."""

    device: str
    """The framework's name of the device, empty for wherever the session puts an operation."""
    config: ConfigProto
    """Settings of the session."""


def place_of(device: str) -> str:
    """``cpu`` for every logical CPU device, which share one copy; ``gpu:N`` is its own place.

    Raises ServingError for anything else.
    """
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "gpu") or not index.isdecimal():
        raise invalid_argument(f"{device!r} is no device; devices are cpu:N and gpu:N")
    return "cpu" if kind == "cpu" else f"gpu:{int(index)}"


@dataclass(frozen=True, slots=True)
class Host:
    """What the numbers of threads follow from."""

    cores: int
    devices: Sequence[str] = ()
    """What the server runs models on; empty: one CPU device a core and all GPUs."""

    @property
    def threads_per_device(self) -> int:
        """Threads that one operation may use: the cores, divided among the CPU devices, which all
        compute at the same time."""
        cpus = sum(place_of(device) == "cpu" for device in self.devices)
        return max(1, self.cores // max(1, cpus)) if self.devices else 1


def placements(
    config: ConfigProto, devices: Sequence[str], host: Host, compiled: Collection[str] = ()
) -> dict[str, Placement]:
    """The placements that cover a model's ``devices``, by place, with ``config`` completed for
    each: numbers of threads that are not set follow from ``host``, and XLA compiles for the kinds
    of device in ``compiled`` (``cpu``, ``gpu``). Raises ServingError for unknown kinds."""
    return {
        place: _placement(config, place, host, compiled)
        for place in dict.fromkeys(map(place_of, devices))
    }


def _placement(common: ConfigProto, place: str, host: Host, compiled: Collection[str]) -> Placement:
    config = type(common)()
    config.CopyFrom(common)
    config.intra_op_parallelism_threads = (
        config.intra_op_parallelism_threads or host.threads_per_device
    )
    config.inter_op_parallelism_threads = config.inter_op_parallelism_threads or host.cores
    kind = place.partition(":")[0]
    if kind in compiled:
        compile_with_xla(config)
    elif kind == "cpu":
        leave_uncompiled(config)
    if place == "cpu":
        config.device_count["GPU"] = 0
        return Placement("", config)
    return Placement(f"/device:GPU:{place.removeprefix('gpu:')}", config)
