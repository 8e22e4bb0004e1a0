"""The devices that a model's instance groups mean."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from gateway.config.triton.model import InstanceGroup
from gateway.errors import Code, ServingError


def instance_devices(
    groups: Sequence[InstanceGroup], devices: Sequence[str], model: str
) -> tuple[str, ...]:
    """Those of ``devices`` that run ``model``, in their order; all of them without groups.

    ``count`` runs at once on CPUs are as many logical CPUs, which a hash of the model's name picks,
    so that models spread over them; more than there are count as all. A GPU has one thread, so its
    count has no effect. Raises ServingError (FAILED_PRECONDITION) for a GPU that is not there.
    """
    if not groups:
        return tuple(devices)
    chosen = {device for group in groups for device in _devices(group, devices, model)}
    return tuple(device for device in devices if device in chosen)


def _devices(group: InstanceGroup, devices: Sequence[str], model: str) -> Sequence[str]:
    gpus = [device for device in devices if device.startswith("gpu:")]
    if group.kind == "gpu" or group.gpus or (group.kind == "auto" and gpus):
        return _gpus(group, gpus)
    cpus = [device for device in devices if device.startswith("cpu:")]
    if not cpus:
        raise _missing("a CPU", devices)
    first = zlib.crc32(model.encode()) % len(cpus)
    return (cpus[first:] + cpus[:first])[: group.count]


def _gpus(group: InstanceGroup, present: Sequence[str]) -> Sequence[str]:
    wanted = [f"gpu:{number}" for number in group.gpus] or present
    missing = [device for device in wanted if device not in present]
    if missing or not wanted:
        raise _missing(", ".join(missing) or "a GPU", present)
    return wanted


def _missing(what: str, present: Sequence[str]) -> ServingError:
    listed = ", ".join(present) or "none"
    message = f"instance_group asks for {what}; the model's devices of that kind are {listed}"
    return ServingError(Code.FAILED_PRECONDITION, message)
