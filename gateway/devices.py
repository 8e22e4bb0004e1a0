"""The host's logical devices and the dedicated thread of each."""

from __future__ import annotations

from collections.abc import Sequence

from batching import DevicePool, DeviceThread
from gateway.backends.base import Backend
from gateway.errors import Code, ServingError
from gateway.time_slice import ask_for_short_time_slices


def choose_devices(backend: Backend, wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of the devices to serve on: those asked for, or all that the backend sees.

    More ``cpu:N`` than cores may be asked for: they are threads. A GPU that is not there raises
    ServingError.
    """
    present = tuple(backend.devices())
    missing = [name for name in wanted if not name.startswith("cpu:") and name not in present]
    if missing:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"devices: {', '.join(missing)} not found; this host has {', '.join(present)}",
        )
    return tuple(wanted) or present


def start_pool(names: Sequence[str]) -> DevicePool:
    """One thread per device, shared by all models. Needs the running event loop, whose own thread
    runs soon from now on although the others may compute on all cores."""
    pool = DevicePool([DeviceThread(name) for name in names])
    ask_for_short_time_slices()
    return pool
