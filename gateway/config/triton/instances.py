"""``instance_group`` of a config.pbtxt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from gateway.config.proto_text import ProtoFile
from gateway.config.triton.model import InstanceGroup

_KINDS: Mapping[str, Literal["auto", "cpu", "gpu"]] = {
    "KIND_AUTO": "auto",
    "KIND_CPU": "cpu",
    "KIND_GPU": "gpu",
    "KIND_MODEL": "auto",
}


def read_instances(file: ProtoFile) -> tuple[InstanceGroup, ...]:
    """Groups in the file's order; passive ones run nothing and are left out. Raises ConfigError."""
    groups: list[InstanceGroup] = []
    for index, message in enumerate(file.message.instance_group):
        for field, problem in _problems(message):
            raise file.error(("instance_group", index, field), f"instance_group: {problem}")
        if not message.passive:
            kind = _KINDS[message.Kind.Name(message.kind)]
            groups.append(InstanceGroup(kind, max(1, message.count), tuple(message.gpus)))
    return tuple(groups)


def _problems(message: Any) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    if message.count < 0:
        problems.append(("count", f"count must not be negative, not {message.count}"))
    if message.gpus and message.kind in (message.KIND_CPU, message.KIND_MODEL):
        kind = message.Kind.Name(message.kind)
        problems.append(("gpus", f"gpus are listed beside {kind}"))
    if any(gpu < 0 for gpu in message.gpus):
        problems.append(("gpus", f"gpus must not be negative, not {min(message.gpus)}"))
    return problems
